#pragma once
/// A training run on LibTorch, saved so that a run resumed equals the run not interrupted.
#include <ATen/CPUGeneratorImpl.h>
#include <torch/optim/optimizer.h>
#include <torch/serialize/input-archive.h>
#include <torch/serialize/output-archive.h>

#include <cstddef>
#include <filesystem>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <lnpt/io/atomic_file.hpp>
#include <lnpt/mask/mask_set.hpp>
#include <lnpt/torch/model.hpp>
#include <lnpt/torch/state.hpp>
#include <lnpt/torch/tensor.hpp>
#include <lnpt/torch/transfer.hpp>
#include <lnpt/train/options.hpp>

namespace lnpt {

namespace detail {

/// The generators that dropout draws from: the CPU's and, elsewhere, that of the model's device.
[[nodiscard]] inline std::vector<at::Generator> generators_of(at::Device device) {
  std::vector<at::Generator> all{at::detail::getDefaultCPUGenerator()};
  if (!device.is_cpu()) all.push_back(at::globalContext().defaultGenerator(device));
  return all;
}

[[nodiscard]] inline at::Tensor numbers_of(train_state const& state) {
  return at::tensor({static_cast<double>(state.epoch), state.last_accuracy, state.best_accuracy, state.last_loss}, at::kDouble);
}

[[nodiscard]] inline mask mask_of(std::string name, at::Tensor const& bits) {
  mask kept(std::move(name), extents_of(bits), true);
  auto const host = bits.cpu().contiguous();
  for (std::size_t i = 0; i < kept.size(); ++i) kept.set(i, host.data_ptr<bool>()[i]);
  return kept;
}

/// What hooks left: the masks that they set and the numbers that they carry.
inline void save_hooks(torch::serialize::OutputArchive& archive, train_state const& state) {
  torch::serialize::OutputArchive masks, numbers;
  for (auto const& kept : state.masks) masks.write(kept.name(), pruned_places(kept, at::empty({0})).logical_not());
  for (auto const& [name, values] : state.hooks) numbers.write(name, at::tensor(values, at::kDouble));
  archive.write("masks", masks);
  archive.write("hooks", numbers);
}
inline void load_hooks(torch::serialize::InputArchive& archive, train_state& state) {
  auto const for_each = [&](char const* part, auto take) {
    torch::serialize::InputArchive inner;
    if (!archive.try_read(part, inner)) return;  // written before hooks carried anything
    for (auto const& name : inner.keys()) {
      at::Tensor values;
      inner.read(name, values);
      take(name, values);
    }
  };
  for_each("masks", [&](auto const& name, auto const& bits) { state.masks.add(mask_of(name, bits)); });
  for_each("hooks", [&](auto const& name, auto const& values) {
    auto const host = values.cpu().contiguous();
    auto const* const first = host.template data_ptr<double>();
    state.hooks.emplace(name, std::vector<double>(first, first + host.numel()));
  });
}

}  // namespace detail

/// Writes model, optimizer, generators and `state` as one LibTorch archive; an older file of that name is replaced only by a complete
/// new one.
template <std::floating_point Scalar>
void save_checkpoint(std::filesystem::path const& path, torch_model<Scalar>& model, torch::optim::Optimizer const& optimizer,
                     train_state const& state) {
  torch::serialize::OutputArchive archive, model_part, optimizer_part;
  for (auto const& each : detail::state_of(model.modules())) model_part.write(each.name, each.value.detach());
  optimizer.save(optimizer_part);
  archive.write("model", model_part);
  archive.write("optimizer", optimizer_part);
  archive.write("progress", detail::numbers_of(state));
  detail::save_hooks(archive, state);
  auto const generators = detail::generators_of(model.near().get().device());
  for (std::size_t i = 0; i < generators.size(); ++i) archive.write("generator" + std::to_string(i), generators[i].get_state());

  io::atomic_file file(path);
  archive.save_to([&](void const* bytes, std::size_t count) {
    file.write(std::span(static_cast<std::byte const*>(bytes), count));
    return count;
  });
  file.commit();
}

/// Reads what `save_checkpoint` wrote into a model and an optimizer of the same make.
template <std::floating_point Scalar>
[[nodiscard]] train_state load_checkpoint(std::filesystem::path const& path, torch_model<Scalar>& model,
                                          torch::optim::Optimizer& optimizer) {
  try {
    auto const device = model.near().get().device();
    torch::serialize::InputArchive archive, model_part, optimizer_part;
    archive.load_from(path.string(), device);
    archive.read("model", model_part);
    archive.read("optimizer", optimizer_part);
    at::NoGradGuard const plain;
    std::vector<std::pair<at::Tensor, at::Tensor>> loaded;
    for (auto const& each : detail::state_of(model.modules())) {
      at::Tensor value;
      model_part.read(each.name, value);
      if (value.sizes() != each.value.sizes())
        fail(path.string(), ": ", each.name, " has the shape ", list(value.sizes()), " where the model has ",
             list(each.value.sizes()), ": resume with the same network");
      loaded.emplace_back(each.value, value);
    }
    at::Tensor progress;
    archive.read("progress", progress);
    optimizer.load(optimizer_part);
    for (auto& [into, from] : loaded) into.copy_(from);
    auto generators = detail::generators_of(device);
    for (std::size_t i = 0; i < generators.size(); ++i) {
      at::Tensor state;
      archive.read("generator" + std::to_string(i), state);
      std::scoped_lock const lock(generators[i].mutex());
      generators[i].set_state(state.cpu());
    }
    auto const host = progress.cpu();
    auto const* const number = host.template data_ptr<double>();
    train_state state{.epoch = static_cast<std::size_t>(number[0]),
                      .last_accuracy = number[1],
                      .best_accuracy = number[2],
                      .last_loss = number[3]};
    detail::load_hooks(archive, state);
    return state;
  } catch (c10::Error const& reason) {
    fail(path.string(), " is no checkpoint of this model and optimizer (", reason.what_without_backtrace(),
         "): resume with what save_checkpoint wrote");
  }
}

}  // namespace lnpt
