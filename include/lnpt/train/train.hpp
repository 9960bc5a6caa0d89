#pragma once
/// Algorithm 1: training under a mask, by default without any label, guided by a teacher that may be far away.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include <lnpt/core/guide.hpp>
#include <lnpt/loss/on_engine.hpp>
#include <lnpt/loss/weighted_sum.hpp>
#include <lnpt/schedule/cosine.hpp>
#include <lnpt/train/accuracy.hpp>
#include <lnpt/train/diagnosis.hpp>
#include <lnpt/train/masked_sgd.hpp>

namespace lnpt {

/// What training takes beside model, data, guide and loss. Defaults: LNPT where the paper says, GraSP's published settings elsewhere.
struct train_options {
  std::size_t epochs = 160;
  std::size_t batch = 128;  ///< a last partial batch is dropped
  double learning_rate = 0.1;
  double momentum = 0.9;
  double weight_decay = 5e-4;
  bool augment = true;  ///< random crop with padding 4, horizontal flip
  std::uint64_t seed = 0;
  lnpt::execution execution = lnpt::execution::automatic;  ///< of masked parameters; does not change what a checkpoint holds
};

/// Where a training run stands: with the model, all that resuming needs.
struct train_state {
  std::size_t epoch = 0;  ///< epochs done
  double last_accuracy = 0;
  double best_accuracy = 0;
  double last_loss = 0;
  std::vector<cpu::array<float>> velocity = {};  ///< empty: at rest
};

/// Told of every step and, with the state to save, of every epoch. Both are optional.
struct train_observer {
  std::function<void(std::size_t epoch, std::size_t step, std::size_t steps)> on_step = nullptr;
  std::function<void(train_state const&)> on_epoch = nullptr;
};

/// A teacher in training: `predict(input, plan)` for augmented images, and `plan(epoch, image)` where it dictates the views.
template <class G>
concept plans_views = requires(G const& guide, std::size_t epoch, std::size_t image) {
  { guide.plan(epoch, image) } -> std::convertible_to<augmentation>;
};

namespace detail {

/// How many whole batches an epoch has.
template <image_source Images>
[[nodiscard]] std::size_t steps_of(Images const& images, train_options const& options) {
  if (options.batch == 0 || images.size() < options.batch)
    fail("a batch of ", options.batch, " cannot be drawn from ", images.size(), " images: choose a batch of 1 to ",
         images.size());
  return images.size() / options.batch;
}

/// The next batch of an epoch and how its images are augmented.
template <class Guide>
[[nodiscard]] batch_plan plan_batch(std::span<std::size_t const> images, std::size_t epoch, Guide const& guide,
                                    train_options const& options) {
  batch_plan plan{{images.begin(), images.end()}, {}};
  for (auto const i : images) {
    if constexpr (plans_views<Guide>)
      plan.how.push_back(guide.plan(epoch, i));
    else
      plan.how.push_back(options.augment ? draw_augmentation(options.seed, i, epoch) : no_augmentation());
  }
  return plan;
}

template <class Guide, class T>
[[nodiscard]] prediction<T> ask(Guide const& guide, T const& input, [[maybe_unused]] batch_plan const& plan,
                                [[maybe_unused]] std::size_t epoch) {
  if constexpr (requires { guide.predict(input, plan, epoch); })
    return guide.predict(input, plan, epoch);
  else
    return guide.predict(input);
}

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

/// One step of gradient descent; returns the loss of the batch.
template <class Model, class Images, class Guide, class Loss>
double train_step(Model& model, masked_sgd<float>& sgd, Images const& images, batch_plan const& plan, std::size_t epoch,
                  Guide const& guide, Loss const& loss, sgd_constants const& constants) {
  using T = tensor_of<Model>;
  auto const input = gather_images<float>(images, plan);
  std::optional<prediction<T>> teacher_prediction;
  std::vector<std::int64_t> labels;
  if constexpr (Loss::needs.teacher) teacher_prediction = ask(guide, input, plan, epoch);
  if constexpr (Loss::needs.labels) labels = gather_labels(images, plan.images);
  target<T> const expected{Loss::needs.labels ? &labels : nullptr, teacher_prediction ? &*teacher_prediction : nullptr};

  auto trace = model.forward(input, normalization{norm_mode::train});
  auto const predicted = prediction_of(model, trace);
  auto const value = loss_value(loss, predicted, expected);
  if (!std::isfinite(value)) fail("the training loss became ", value, " in epoch ", epoch + 1, ": lower the learning rate");
  model.update_running_statistics(trace);
  sgd.step(model, last_backward(model, std::move(trace), loss_cotangent(loss, predicted, expected), which_gradients::all),
           constants);
  return value;
}

}  // namespace detail

/// Trains `student` under `masks` until `options.epochs`, from `state` on; pruned weights stay exactly +0.
///
///     θ ← M ⊙ (θ − lr · M ⊙ ∇L),      L = pseudo_label + α · feature_mse for LNPT, cosine learning rate
///
/// Products run on kept weights alone where `options.execution` says so: then gradients, momentum and weight decay are theirs alone, too,
/// and whoever asks the student for its parameters during training has whole arrays until the epoch ends.
/// Label-free where the loss is: labels are then never read, but for the accuracy on `test`, taken after every epoch. Every draw is a
/// function of (seed, epoch, image), so that a run resumed from a saved state equals the run not interrupted, to the bit. Xiao et al.
/// 2024, arXiv:2403.12690, Algorithm 1.
template <class Model, image_source Images, labelled_images Test, class Guide, class Loss>
  requires host_tensor<tensor_of<Model>>
train_state train(Model& student, mask_set const& masks, Images const& images, Test const& test, Guide const& guide,
                  Loss const& loss, train_options const& options, train_state state = {}, train_observer const& observer = {}) {
  detail::require_trainable<Model, Images, Guide, Loss>();
  auto const steps = detail::steps_of(images, options);
  detail::whole_when_done<Model> const whole(student);
  masked_sgd<float> sgd(student, masks, options.execution);
  if (!state.velocity.empty()) sgd.set_velocity(std::move(state.velocity));
  while (state.epoch < options.epochs) {
    sgd.hold(student);
    auto const order = shuffled(images.size(), options.seed, state.epoch);
    double total = 0;
    for (std::size_t step = 0; step < steps; ++step) {
      if (observer.on_step) observer.on_step(state.epoch, step, steps);
      auto const rate = schedule::cosine{}(state.epoch * steps + step, options.epochs * steps, options.learning_rate);
      auto const plan =
          detail::plan_batch(std::span(order).subspan(step * options.batch, options.batch), state.epoch, guide, options);
      total += detail::train_step(student, sgd, images, plan, state.epoch, guide, loss,
                                  {rate, options.momentum, options.weight_decay});
    }
    ++state.epoch;
    state.last_loss = total / static_cast<double>(steps);
    state.last_accuracy = accuracy(student, test);
    state.best_accuracy = std::max(state.best_accuracy, state.last_accuracy);
    state.velocity = sgd.velocity(student);
    if (observer.on_epoch) observer.on_epoch(state);
  }
  return state;
}

}  // namespace lnpt
