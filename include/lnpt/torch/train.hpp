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
#include <lnpt/torch/autocast.hpp>
#include <lnpt/torch/checkpoint.hpp>
#include <lnpt/torch/masked_optimizer.hpp>
#include <lnpt/torch/model.hpp>
#include <lnpt/train/train.hpp>

namespace lnpt {

/// What training on LibTorch takes beside the settings of every engine.
struct torch_train_options : train_options {
  bool bfloat16 = false;                  ///< automatic mixed precision
  std::size_t loss_every = 50;            ///< steps between looks at the loss, each of which waits for the device
  std::filesystem::path checkpoint = {};  ///< saved after every epoch, and resumed where it exists; empty: none
};

namespace detail {

/// Puts every module into training mode while it lives.
class training_guard {
 public:
  explicit training_guard(module_tree const& tree) : tree_(tree) {
    for (auto const& entry : tree) training_.push_back(entry.training());
    for (auto const& entry : tree) entry.train(true);
  }
  training_guard(training_guard const&) = delete;
  training_guard& operator=(training_guard const&) = delete;
  ~training_guard() {
    for (std::size_t i = 0; i < tree_.size(); ++i) tree_[i].train(training_[i]);
  }

 private:
  module_tree const& tree_;
  std::vector<char> training_;
};

template <image_source Images>
[[nodiscard]] torch_tensor<float> images_on(at::Device device, Images const& images, batch_plan const& plan) {
  auto const pinned = at::TensorOptions().pinned_memory(device.is_cuda());  // from there a copy does not make the host wait
  auto const host = at::empty({static_cast<std::int64_t>(plan.images.size()), static_cast<std::int64_t>(images.channels),
                               static_cast<std::int64_t>(images.height), static_cast<std::int64_t>(images.width)},
                              pinned);
  auto const size = images.channels * images.height * images.width;
  for (std::size_t b = 0; b < plan.images.size(); ++b)
    apply(plan.how.empty() ? no_augmentation() : plan.how[b], images, plan.images[b],
          std::span(host.template data_ptr<float>() + b * size, size));
  return host.to(device, /*non_blocking=*/true);
}

/// Detached handles, for loss functions that only need values.
[[nodiscard]] inline prediction<torch_tensor<float>> without_graph(prediction<torch_tensor<float>> const& said) {
  return {said.output.get().detach(), torch_tensor<float>(said.features->get().detach())};
}

/// Forward, loss and backward of one batch: gradients in the parameters' grad(). Returns the loss if it was asked for.
template <class Images, class Guide, class Loss>
std::optional<double> torch_gradients(torch_model<float>& model, Images const& images, batch_plan const& plan, std::size_t epoch,
                                      Guide const& guide, Loss const& loss, bool bfloat16, bool wants_value) {
  using T = torch_tensor<float>;
  auto const device = model.torch_parameters().front().device();
  auto const input = images_on(device, images, plan);
  std::optional<prediction<T>> taught;
  std::vector<std::int64_t> labels;
  if constexpr (Loss::needs.teacher) {
    at::NoGradGuard const plain;  // a guide may be anyone's
    taught = ask(guide, input, plan, epoch);
  }
  if constexpr (Loss::needs.labels) labels = gather_labels(images, plan.images);
  target<T> const held{Loss::needs.labels ? &labels : nullptr, taught ? &*taught : nullptr};

  autocast_guard const precision(device.type(), bfloat16);
  auto const said = model(input.get());
  auto const values = without_graph(said);
  auto const slopes = loss_cotangent(loss, values, held);
  graph_roots roots;
  if (slopes.output) roots.add(said.output.get(), slopes.output->get());
  if (slopes.features) roots.add(said.features->get(), slopes.features->get());
  torch::autograd::backward(roots.tensors, roots.slopes);
  return wants_value ? std::optional(loss_value(loss, values, held)) : std::nullopt;
}

/// One epoch; returns the mean of the losses that were looked at.
template <class Images, class Guide, class Loss>
double torch_epoch(torch_model<float>& model, masked_optimizer& optimizer, Images const& images, Guide const& guide,
                   Loss const& loss, torch_train_options const& options, std::size_t epoch, train_observer const& observer) {
  training_guard const mode(model.modules());
  auto const steps = images.size() / options.batch;
  auto const order = shuffled(images.size(), options.seed, epoch);
  double total = 0;
  std::size_t looks = 0;
  for (std::size_t step = 0; step < steps; ++step) {
    if (observer.on_step) observer.on_step(epoch, step, steps);
    auto const rate = cosine{}(epoch * steps + step, options.epochs * steps, options.learning_rate);
    for (auto& group : optimizer.get().param_groups()) static_cast<torch::optim::SGDOptions&>(group.options()).lr(rate);
    auto const plan = plan_batch(std::span(order).subspan(step * options.batch, options.batch), epoch, guide, options);
    auto const looking = step + 1 == steps || (options.loss_every > 0 && step % options.loss_every == 0);
    optimizer.zero_grad();
    if (auto const value = torch_gradients(model, images, plan, epoch, guide, loss, options.bfloat16, looking)) {
      if (!std::isfinite(*value)) fail("the training loss became ", *value, " in epoch ", epoch + 1, ": lower the learning rate");
      total += *value;
      ++looks;
    }
    optimizer.step();
  }
  return total / static_cast<double>(looks);
}

/// The fraction of images whose label the model decides for, in eval mode.
template <labelled_images Images>
[[nodiscard]] double torch_accuracy(torch_model<float>& model, Images const& images) {
  auto const device = model.torch_parameters().front().device();
  std::size_t right = 0;
  for (std::size_t begin = 0; begin < images.size(); begin += evaluation_batch) {
    batch_plan plan;
    for (auto i = begin; i < std::min(begin + evaluation_batch, images.size()); ++i) plan.images.push_back(i);
    auto const said =
        tensor_traits<torch_tensor<float>>::argmax(model.predict(images_on(device, images, plan), {norm_mode::eval}).output);
    for (std::size_t b = 0; b < said.size(); ++b) right += said[b] == images.labels[plan.images[b]];
  }
  return images.size() == 0 ? 0.0 : static_cast<double>(right) / static_cast<double>(images.size());
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
/// Label-free where the loss is: labels are then never read, but for the accuracy on `test`, taken after every epoch. Every draw is a
/// function of (seed, epoch, image) or of a generator that the checkpoint holds, so that a run resumed from it equals the run not
/// interrupted; so does one that goes on from `state`, where the module has no dropout. Xiao et al. 2024, arXiv:2403.12690, Algorithm 1.
template <class Images, class Guide, class Loss>
train_state train(torch_model<float>& student, mask_set const& masks, Images const& images, Images const& test,
                  Guide const& guide, Loss const& loss, torch_train_options const& options, train_state state,
                  train_observer const& observer = {}) {
  static_assert(!Loss::needs.teacher || !std::same_as<Guide, no_guide>,
                "lnpt: this loss compares against a teacher, and there is none. Pass teacher{model} or a teacher cache, or train "
                "on labels with "
                "cross_entropy.");
  if (options.batch == 0 || images.size() < options.batch)
    fail("a batch of ", options.batch, " cannot be drawn from ", images.size(), " images: choose a batch of 1 to ",
         images.size());
  auto const settings =
      torch::optim::SGDOptions(options.learning_rate).momentum(options.momentum).weight_decay(options.weight_decay);
  torch::optim::SGD sgd(student.torch_parameters(), settings);
  if (!state.velocity.empty()) detail::set_velocity(sgd, student, state.velocity);
  if (!options.checkpoint.empty() && std::filesystem::exists(options.checkpoint))
    state = load_checkpoint(options.checkpoint, student, sgd);
  masked_optimizer optimizer(sgd, student, masks);
  while (state.epoch < options.epochs) {
    state.last_loss = detail::torch_epoch(student, optimizer, images, guide, loss, options, state.epoch, observer);
    ++state.epoch;
    state.last_accuracy = detail::torch_accuracy(student, test);
    state.best_accuracy = std::max(state.best_accuracy, state.last_accuracy);
    state.velocity = detail::velocity_of(sgd, student);
    if (!options.checkpoint.empty()) save_checkpoint(options.checkpoint, student, sgd, state);
    if (observer.on_epoch) observer.on_epoch(state);
  }
  return state;
}

/// The same from the beginning, or from the checkpoint of the options.
template <class Images, class Guide, class Loss>
train_state train(torch_model<float>& student, mask_set const& masks, Images const& images, Images const& test,
                  Guide const& guide, Loss const& loss, torch_train_options const& options, train_observer const& observer = {}) {
  return train(student, masks, images, test, guide, loss, options, train_state{}, observer);
}

}  // namespace lnpt
