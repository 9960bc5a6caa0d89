#pragma once
/// Training under a mask on LibTorch, by default without any label.
#include <torch/optim/sgd.h>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include <lnpt/backend/cpu/array.hpp>
#include <lnpt/mask/mask_set.hpp>
#include <lnpt/torch/pass/autocast.hpp>
#include <lnpt/torch/train/checkpoint.hpp>
#include <lnpt/torch/train/masked_optimizer.hpp>
#include <lnpt/torch/train/training_data.hpp>
#include <lnpt/train/masked_sgd.hpp>
#include <lnpt/train/train.hpp>

namespace lnpt {

/// What training on LibTorch takes beside the settings of every engine.
struct torch_train_options : train_options {
  bool bfloat16 = false;                  ///< automatic mixed precision
  std::filesystem::path checkpoint = {};  ///< saved after every epoch, and resumed where it exists; empty: none
};

namespace detail {

/// Detached handles, for loss functions that only need values.
[[nodiscard]] inline prediction<torch_tensor<float>> without_graph(prediction<torch_tensor<float>> predicted) {
  predicted.output = predicted.output.get().detach();
  if (predicted.features) predicted.features = torch_tensor<float>(predicted.features->get().detach());
  return predicted;
}

/// The momentum of every parameter, on the host; zeros where there was no step.
[[nodiscard]] inline std::vector<cpu::array<float>> velocity_of(torch::optim::SGD& sgd, torch_model<float> const& model) {
  std::vector<cpu::array<float>> velocity;
  for (auto const& tensor : model.torch_parameters()) {
    auto* const state = static_cast<torch::optim::SGDParamState*>(state_of(sgd.state(), tensor));
    auto const moving = state && state->momentum_buffer().defined();
    torch_tensor<float> const values(moving ? state->momentum_buffer() : at::zeros_like(tensor));
    velocity.push_back(convert<cpu::array<float>>(values, {}));
  }
  return velocity;
}

inline void set_velocity(torch::optim::SGD& sgd, torch_model<float> const& model,
                         std::vector<cpu::array<float>> const& velocity) {
  auto const tensors = model.torch_parameters();
  if (velocity.size() != tensors.size())
    fail("there is momentum for ", velocity.size(), " parameters but the model has ", tensors.size(),
         ": go on with the state that training this model gave");
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (shape_of(velocity[i]) != extents_of(tensors[i]))
      fail("there is momentum of the shape ", list(shape_of(velocity[i])), " for a parameter of ", list(extents_of(tensors[i])),
           ": go on with the state that training this model gave");
    auto state = std::make_unique<torch::optim::SGDParamState>();
    state->momentum_buffer(convert<torch_tensor<float>>(velocity[i], torch_tensor<float>(tensors[i])).get());
    sgd.state()[state_key(sgd.state(), tensors[i])] = std::move(state);
  }
}

/// The learning rates of an optimizer's groups of parameters, in units of the first group's; 1 where all are the same. Refuses others beside
/// a first one of 0, to which they have no ratio.
[[nodiscard]] inline std::vector<double> group_ratios(torch::optim::Optimizer& optimizer) {
  std::vector<double> rates;
  for (auto& group : optimizer.param_groups()) rates.push_back(group.options().get_lr());
  if (std::ranges::adjacent_find(rates, std::ranges::not_equal_to()) == rates.end()) return std::vector<double>(rates.size(), 1);
  auto const first = rates.front();
  if (first == 0)
    fail(
        "the learning rate of the optimizer's first group is 0, those of others are not, and training keeps the ratio of each to "
        "the first: put another group first");
  for (auto& each : rates) each /= first;
  return rates;
}

/// The kit of LibTorch's modules: autograd's gradients, an optimizer of LibTorch's under masks.
class torch_kit {
 public:
  using tensor_type = torch_tensor<float>;
  static constexpr std::size_t loss_every = training_traits<tensor_type>::loss_every;

  /// `ratios`: of the learning rates of the optimizer's groups.
  torch_kit(torch_model<float>& model, torch::optim::Optimizer& optimizer, std::vector<double> ratios, mask_set masks,
            torch_train_options const& options)
      : model_(model),
        masks_(std::move(masks)),
        optimizer_(optimizer, model, masks_),
        ratios_(std::move(ratios)),
        options_(options) {}

  [[nodiscard]] torch_model<float>& model() { return model_; }
  [[nodiscard]] training_guard training_mode() { return {model_.modules(), true}; }
  template <class Data>
  [[nodiscard]] static std::size_t steps(Data const& data, train_options const& options) {
    return steps_of(data, options);
  }
  template <class Data>
  [[nodiscard]] static Data const& store(Data const& data) {
    return data;
  }
  template <loss_needs Needs, class Data, class Guide, class Learn>
  void for_each_lesson(Data const& store, Data const& data, std::size_t epoch, Guide const& guide, train_options const& options,
                       Learn learn, batch_share share = {}) {
    auto const near = model_.near();
    if constexpr (image_source<Data>)
      detail::for_each_lesson<Needs>(store, data, near, epoch, guide, options, learn, share);
    else
      detail::for_each_lesson<Needs>(data, near.get().device(), guide, learn);
  }

  /// Handles of the parameters' grad(): what a hook writes into them is seen by the optimizer.
  template <class Loss>
  [[nodiscard]] gradients<tensor_type> gradients_of(lesson<tensor_type> const& each, Loss const& loss, loss_meter& meter,
                                                    bool look) {
    optimizer_.zero_grad();
    autocast_guard const precision(each.input.get().device().type(), options_.bfloat16);
    auto const predicted = model_(each.input.get(), Loss::needs.features);
    auto const values = without_graph(predicted);
    auto const target = each.template target<Loss>();
    auto const slopes = loss_cotangent(loss, values, target);
    graph_roots roots;
    if (slopes.output) roots.add(predicted.output.get(), slopes.output->get());
    if (slopes.features) roots.add(predicted.features->get(), slopes.features->get());
    torch::autograd::backward(roots.tensors, roots.slopes);
    if (look) meter.add(loss_value(loss, values, target));
    gradients<tensor_type> found;
    for (auto const& tensor : model_.torch_parameters())
      found.push_back(tensor.grad().defined() ? std::optional(tensor_type(tensor.grad())) : std::nullopt);
    return found;
  }
  void step(training_step<tensor_type> const& at) {
    auto const tensors = model_.torch_parameters();
    for (std::size_t i = 0; i < tensors.size(); ++i)
      if (at.gradients[i] && !at.gradients[i]->get().is_same(tensors[i].grad()))
        tensors[i].mutable_grad() = at.gradients[i]->get();
    for (std::size_t i = 0; auto& group : optimizer_.get().param_groups())
      group.options().set_lr(at.learning_rate * ratios_[i++]);
    optimizer_.step();
  }

  [[nodiscard]] mask_set const& masks() const { return masks_; }
  void set_masks(mask_set masks) {
    masks_ = std::move(masks);
    optimizer_.set_masks(model_, masks_);
  }
  [[nodiscard]] std::vector<cpu::array<float>> velocity() const {
    auto* const sgd = dynamic_cast<torch::optim::SGD*>(&optimizer_.get());
    return sgd ? velocity_of(*sgd, model_) : std::vector<cpu::array<float>>{};
  }
  void save(train_state const& state) {
    if (!options_.checkpoint.empty()) save_checkpoint(options_.checkpoint, model_, optimizer_.get(), state);
  }

 private:
  torch_model<float>& model_;
  mask_set masks_;
  masked_optimizer optimizer_;
  std::vector<double> ratios_;
  torch_train_options const& options_;
};

template <std::floating_point Scalar>
inline constexpr bool has_own_training<torch_model<Scalar>> = true;

/// What the further arguments of `train` on LibTorch may be.
template <class P>
concept torch_policy = learning_rate_schedule<P> || std::derived_from<P, torch::optim::Optimizer> ||
                       training_hook<P, torch_tensor<float>> || shares_steps<P>;

}  // namespace detail

/// Trains a module under `masks` on the module's device; pruned weights stay +0.
///
/// `data`, `test`: images of bytes such as `io::image_set`, or `loader_batches`, which decide on batch, augmentation and order
/// themselves. Label-free where the loss is: labels are then never read, but for the accuracy on `test`, taken after every epoch. Every
/// draw is a function of (seed, epoch, image) or of a generator that the checkpoint holds, so that a run resumed from it equals the run
/// not interrupted; so does one that goes on from `state`, where neither module nor loader draw. Xiao et al. 2024, arXiv:2403.12690,
/// Algorithm 1.
///
/// Further arguments, in any order: a learning-rate schedule (without one schedule::cosine), an optimizer of LibTorch over the model's
/// parameters, whose groups keep the ratio of their learning rates to the first group's (without one SGD with the momentum and weight decay
/// of the options), and hooks (train/hooks.hpp).
template <class Data, class Test, class Guide, class Loss, class... Policies>
train_state train(torch_model<float>& student, mask_set const& masks, Data const& data, Test const& test, Guide const& guide,
                  Loss const& loss, torch_train_options const& options, train_state state, train_observer const& observer = {},
                  Policies&&... policies) {
  detail::require_trainable<torch_model<float>, Data, Guide, Loss>();
  static_assert((detail::torch_policy<std::remove_cvref_t<Policies>> && ...),
                "lnpt: a further argument of train is no learning-rate schedule, optimizer of LibTorch or hook. Give a hook "
                "before_step(step) or after_step(step), a schedule operator()(step, steps, initial).");
  detail::require_steps(options);
  detail::require_use(student, policies...);
  (void)detail::steps_of(data, options);  // refuses what cannot be trained on before anything changes
  detail::require_labels_that_are_read<Loss>(data, test);
  auto const settings =
      torch::optim::SGDOptions(options.learning_rate).momentum(options.momentum).weight_decay(options.weight_decay);
  torch::optim::SGD sgd(student.torch_parameters(), settings);
  schedule::cosine const cosine;
  auto const& rate_at = detail::first_that([]<class P>() { return learning_rate_schedule<P>; }, cosine, policies...);
  torch::optim::Optimizer& optimizer =
      detail::first_that([]<class P>() { return std::derived_from<P, torch::optim::Optimizer>; }, sgd, policies...);
  auto ratios = detail::group_ratios(optimizer);  // as they are given, not as a checkpoint after many steps has them
  if (!state.velocity.empty() && &optimizer == &sgd) detail::set_velocity(sgd, student, state.velocity);
  if (!options.checkpoint.empty() && std::filesystem::exists(options.checkpoint))
    state = detail::read_checkpoint(options.checkpoint, student, optimizer, &masks);
  detail::torch_kit kit(student, optimizer, std::move(ratios), detail::masks_to_go_on_with(masks, state), options);
  auto&& shared = detail::kit_for(kit, policies...);
  return detail::train_loop(shared, data, test, guide, loss, options, rate_at, std::move(state), observer, policies...);
}

/// The same from the beginning, or from the checkpoint of the options.
template <class Data, class Test, class Guide, class Loss>
train_state train(torch_model<float>& student, mask_set const& masks, Data const& data, Test const& test, Guide const& guide,
                  Loss const& loss, torch_train_options const& options, train_observer const& observer = {}) {
  return train(student, masks, data, test, guide, loss, options, train_state{}, observer);
}

/// The same with the settings of every engine: `{.epochs = 160}`.
template <class Data, class Test, class Guide, class Loss>
train_state train(torch_model<float>& student, mask_set const& masks, Data const& data, Test const& test, Guide const& guide,
                  Loss const& loss, train_options const& options, train_observer const& observer = {}) {
  return train(student, masks, data, test, guide, loss, torch_train_options{options}, observer);
}
template <class Data, class Test, class Guide, class Loss, class... Policies>
train_state train(torch_model<float>& student, mask_set const& masks, Data const& data, Test const& test, Guide const& guide,
                  Loss const& loss, train_options const& options, train_state state, train_observer const& observer = {},
                  Policies&&... policies) {
  return train(student, masks, data, test, guide, loss, torch_train_options{options}, std::move(state), observer, policies...);
}

/// In double: refused, as on every engine.
template <class Data, class Test, class Guide, class Loss, class... More>
train_state train(torch_model<double>&, mask_set const&, Data const&, Test const&, Guide const&, Loss const&,
                  train_options const&, More const&...) {
  detail::require_trainable<torch_model<double>, Data, Guide, Loss>();
  return {};
}

}  // namespace lnpt
