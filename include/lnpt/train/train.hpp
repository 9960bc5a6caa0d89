#pragma once
/// Algorithm 1: training under a mask, by default without any label, guided by a teacher that may be far away.
#include <cstddef>
#include <type_traits>
#include <utility>
#include <vector>

#include <lnpt/core/model_access.hpp>
#include <lnpt/train/loop.hpp>
#include <lnpt/train/masked_sgd.hpp>

namespace lnpt {

namespace detail {

/// Has a model show whole parameters again when training ends, however it ends: views that callers hold stay valid.
template <class Model>
class whole_when_done {
 public:
  explicit whole_when_done(Model& model) : model_(model) {}
  whole_when_done(whole_when_done const&) = delete;
  whole_when_done& operator=(whole_when_done const&) = delete;
  ~whole_when_done() { (void)model_.parameters(); }

 private:
  Model& model_;
};

/// The kit of models that keep a trace, on any backend of the library's own engine.
template <class Model, class Optimiser>
class engine_kit {
 public:
  using tensor_type = tensor_of<Model>;
  using traits = training_traits<tensor_type>;
  static constexpr std::size_t loss_every = traits::loss_every;

  engine_kit(Model& model, Optimiser optimiser, train_state const& from) : model_(model), optimiser_(std::move(optimiser)) {
    if constexpr (requires { optimiser_.set_velocity(optimiser_.velocity(model)); }) {
      if (from.velocity.empty()) return;
      auto velocity = optimiser_.velocity(model);
      if (velocity.size() != from.velocity.size())
        fail("there is momentum for ", from.velocity.size(), " parameters but the model has ", velocity.size(),
             ": go on with the state that training this model gave");
      for (std::size_t i = 0; i < velocity.size(); ++i) velocity[i] = convert<tensor_type>(from.velocity[i], velocity[i]);
      optimiser_.set_velocity(std::move(velocity));
    }
  }

  [[nodiscard]] Model& model() { return model_; }
  [[nodiscard]] std::nullptr_t training_mode() {
    if constexpr (requires { optimiser_.hold(model_); }) optimiser_.hold(model_);
    return nullptr;
  }
  template <class Images>
  [[nodiscard]] static std::size_t steps(Images const& images, train_options const& options) {
    return steps_of(images, options);
  }
  template <class Images>
  [[nodiscard]] decltype(auto) store(Images const& images) {
    return traits::store(images, near());
  }
  template <loss_needs Needs, class Store, class Images, class Guide, class Learn>
  void for_each_lesson(Store const& store, Images const& images, std::size_t epoch, Guide const& guide,
                       train_options const& options, Learn learn, batch_share share = {}) {
    detail::for_each_lesson<Needs>(store, images, near(), epoch, guide, options, learn, share);
  }

  template <class Loss>
  [[nodiscard]] gradients<tensor_type> gradients_of(lesson<tensor_type> const& each, Loss const& loss, loss_meter& meter,
                                                    bool look, normalization const& norm = normalization{norm_mode::train}) {
    auto const target = each.template target<Loss>();
    auto trace = model_.forward(each.input, norm);
    auto const predicted = prediction_of(model_, trace);
    if (look) meter.add(loss_value(loss, predicted, target));
    model_.update_running_statistics(trace);
    return last_backward(model_, std::move(trace), loss_cotangent(loss, predicted, target), which_gradients::all);
  }
  void step(training_step<tensor_type> const& at) { optimiser_.step(model_, at.gradients, at.learning_rate); }

  [[nodiscard]] mask_set const& masks() const { return optimiser_.masks(); }
  void set_masks(mask_set masks) { optimiser_.set_masks(model_, std::move(masks)); }
  [[nodiscard]] std::vector<cpu::array<float>> velocity() {
    std::vector<cpu::array<float>> on_host;
    if constexpr (requires { optimiser_.velocity(model_); })
      for (auto const& v : optimiser_.velocity(model_)) on_host.push_back(convert<cpu::array<float>>(v, {}));
    return on_host;
  }
  static void save(train_state const&) {}

 private:
  [[nodiscard]] tensor_type near() { return tensor_near(model_); }

  Model& model_;
  Optimiser optimiser_;
};

/// Whether an engine has a `train` of its own for these models.
template <class Model>
inline constexpr bool has_own_training = false;

}  // namespace detail

/// Trains `student` under `masks` until `options.epochs`, from `state` on; pruned weights stay exactly +0.
///
///     θ ← M ⊙ (θ − lr · M ⊙ ∇L),      L = pseudo_label + α · feature_mse for LNPT
///
/// Products run on kept weights alone where `options.execution` says so: then gradients, momentum and weight decay are theirs alone, too,
/// and whoever asks the student for its parameters during training has whole arrays until the epoch ends. With hooks they are dense.
/// Label-free where the loss is: labels are then never read, but for the accuracy on `test`, taken after every epoch. Every draw is a
/// function of (seed, epoch, image), so that a run resumed from a saved state equals the run not interrupted, to the bit. Xiao et al.
/// 2024, arXiv:2403.12690, Algorithm 1.
///
/// Further arguments, in any order: a learning-rate schedule (without one schedule::cosine), an optimiser (without one SGD with the
/// momentum and weight decay of the options), and hooks, which act in the order given (train/hooks.hpp).
template <class Model, image_source Images, labelled_images Test, class Guide, class Loss, class... Policies>
  requires(!detail::has_own_training<Model>)
train_state train(Model& student, mask_set const& masks, Images const& images, Test const& test, Guide const& guide,
                  Loss const& loss, train_options const& options, train_state state = {}, train_observer const& observer = {},
                  Policies&&... policies) {
  detail::require_trainable<Model, Images, Guide, Loss>();
  static_assert(trainable_tensor<tensor_of<Model>> || !detail::trains_in_float<Model>,
                "lnpt: this engine does not say how its models are trained. Specialise training_traits for its tensor, as "
                "lnpt/train/traits.hpp shows.");
  static_assert(
      (detail::training_policy<std::remove_cvref_t<Policies>, Model> && ...),
      "lnpt: a further argument of train is no learning-rate schedule, optimiser or hook. Give a hook before_step(step) or "
      "after_step(step), a schedule operator()(step, steps, initial), an optimiser start(model, masks).");
  if constexpr (trainable_tensor<tensor_of<Model>> && !std::is_const_v<Model>) {
    schedule::cosine const cosine;
    // Hooks see whole parameters and gradients.
    auto const how =
        (training_hook<std::remove_cvref_t<Policies>, tensor_of<Model>> || ...) ? execution::dense : options.execution;
    sgd const descent{options.momentum, options.weight_decay, how};
    auto const& rate_at = detail::first_that([]<class P>() { return learning_rate_schedule<P>; }, cosine, policies...);
    auto& optimiser = detail::first_that([]<class P>() { return detail::starts_optimiser<P, Model>; }, descent, policies...);
    detail::require_steps(options);
    detail::require_use(student, policies...);
    (void)detail::steps_of(images, options);  // refuses what cannot be trained on before anything changes
    detail::require_labels_that_are_read<Loss>(images, test);
    detail::whole_when_done<Model> const whole(student);
    detail::engine_kit kit(student, optimiser.start(student, detail::masks_to_go_on_with(masks, state)), state);
    auto&& shared = detail::kit_for(kit, policies...);
    return detail::train_loop(shared, images, test, guide, loss, options, rate_at, std::move(state), observer, policies...);
  } else {
    return state;  // refused above
  }
}

}  // namespace lnpt
