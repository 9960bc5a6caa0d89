#pragma once
/// Training under a mask on LibTorch, by default without any label.
#include <torch/optim/sgd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <lnpt/backend/cpu/array.hpp>
#include <lnpt/mask/mask_set.hpp>
#include <lnpt/torch/pass/autocast.hpp>
#include <lnpt/torch/train/checkpoint.hpp>
#include <lnpt/torch/train/masked_optimizer.hpp>
#include <lnpt/torch/train/training_data.hpp>

namespace lnpt {

/// What training on LibTorch takes beside the settings of every engine.
struct torch_train_options : train_options {
  bool bfloat16 = false;                  ///< automatic mixed precision
  std::size_t loss_every = 50;            ///< steps between looks at the loss, each of which waits for the device
  std::filesystem::path checkpoint = {};  ///< saved after every epoch, and resumed where it exists; empty: none
};

namespace detail {

/// Detached handles, for loss functions that only need values.
[[nodiscard]] inline prediction<torch_tensor<float>> without_graph(prediction<torch_tensor<float>> predicted) {
  predicted.output = predicted.output.get().detach();
  if (predicted.features) predicted.features = torch_tensor<float>(predicted.features->get().detach());
  return predicted;
}

/// Forward, loss and backward of one batch: gradients in the parameters' grad(). Returns the loss if it was asked for.
template <class Loss>
std::optional<double> torch_gradients(torch_model<float>& model, lesson_batch const& batch, Loss const& loss, bool bfloat16,
                                      bool wants_value) {
  autocast_guard const precision(batch.input.get().device().type(), bfloat16);
  auto const predicted = model(batch.input.get(), Loss::needs.features);
  auto const values = without_graph(predicted);
  target<torch_tensor<float>> const expected{Loss::needs.labels ? &batch.labels : nullptr,
                                             batch.teacher_prediction ? &*batch.teacher_prediction : nullptr};
  auto const slopes = loss_cotangent(loss, values, expected);
  graph_roots roots;
  if (slopes.output) roots.add(predicted.output.get(), slopes.output->get());
  if (slopes.features) roots.add(predicted.features->get(), slopes.features->get());
  torch::autograd::backward(roots.tensors, roots.slopes);
  return wants_value ? std::optional(loss_value(loss, values, expected)) : std::nullopt;
}

/// One epoch; returns the mean of the losses that were looked at.
template <class Data, class Guide, class Loss>
double torch_epoch(torch_model<float>& model, masked_optimizer& optimizer, Data const& data, Guide const& guide, Loss const& loss,
                   torch_train_options const& options, std::size_t epoch, train_observer const& observer) {
  training_guard const mode(model.modules(), true);
  auto const steps = steps_of(data, options);
  double total = 0;
  std::size_t looks = 0;
  auto const learn = [&](std::size_t step, lesson_batch const& batch) {
    if (observer.on_step) observer.on_step(epoch, step, steps);
    auto const rate = schedule::cosine{}(epoch * steps + step, options.epochs * steps, options.learning_rate);
    for (auto& group : optimizer.get().param_groups()) static_cast<torch::optim::SGDOptions&>(group.options()).lr(rate);
    auto const looking = step + 1 == steps || (options.loss_every > 0 && step % options.loss_every == 0);
    optimizer.zero_grad();
    if (auto const value = torch_gradients(model, batch, loss, options.bfloat16, looking)) {
      if (!std::isfinite(*value)) fail("the training loss became ", *value, " in epoch ", epoch + 1, ": lower the learning rate");
      total += *value;
      ++looks;
    }
    optimizer.step();
  };
  for_each_batch<Loss::needs>(data, epoch, guide, options, model.near().get().device(), learn);
  return total / static_cast<double>(looks);
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
    auto state = std::make_unique<torch::optim::SGDParamState>();
    state->momentum_buffer(convert<torch_tensor<float>>(velocity[i], torch_tensor<float>(tensors[i])).get());
    sgd.state()[state_key(sgd.state(), tensors[i])] = std::move(state);
  }
}

}  // namespace detail

/// Trains a module under `masks` by SGD with momentum and a cosine learning rate, on the module's device; pruned weights stay +0.
///
/// `data`, `test`: images of bytes such as `io::image_set`, or `loader_batches`, which decide on batch, augmentation and order
/// themselves. Label-free where the loss is: labels are then never read, but for the accuracy on `test`, taken after every epoch. Every
/// draw is a function of (seed, epoch, image) or of a generator that the checkpoint holds, so that a run resumed from it equals the run
/// not interrupted; so does one that goes on from `state`, where neither module nor loader draw. Xiao et al. 2024, arXiv:2403.12690,
/// Algorithm 1.
template <class Data, class Test, class Guide, class Loss>
train_state train(torch_model<float>& student, mask_set const& masks, Data const& data, Test const& test, Guide const& guide,
                  Loss const& loss, torch_train_options const& options, train_state state, train_observer const& observer = {}) {
  detail::require_trainable<torch_model<float>, Data, Guide, Loss>();
  (void)detail::steps_of(data, options);  // refuses what cannot be trained on before anything changes
  auto const settings =
      torch::optim::SGDOptions(options.learning_rate).momentum(options.momentum).weight_decay(options.weight_decay);
  torch::optim::SGD sgd(student.torch_parameters(), settings);
  if (!state.velocity.empty()) detail::set_velocity(sgd, student, state.velocity);
  if (!options.checkpoint.empty() && std::filesystem::exists(options.checkpoint))
    state = load_checkpoint(options.checkpoint, student, sgd);
  masked_optimizer optimizer(sgd, student, masks);
  while (state.epoch < options.epochs) {
    state.last_loss = detail::torch_epoch(student, optimizer, data, guide, loss, options, state.epoch, observer);
    ++state.epoch;
    state.last_accuracy = accuracy(student, test);
    state.best_accuracy = std::max(state.best_accuracy, state.last_accuracy);
    state.velocity = detail::velocity_of(sgd, student);
    if (!options.checkpoint.empty()) save_checkpoint(options.checkpoint, student, sgd, state);
    if (observer.on_epoch) observer.on_epoch(state);
  }
  return state;
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

/// In double: refused, as on every engine.
template <class... Arguments>
train_state train(torch_model<double>&, Arguments const&...) {
  detail::require_trainable<torch_model<double>, no_guide, no_guide, no_guide>();
  return {};
}

}  // namespace lnpt
