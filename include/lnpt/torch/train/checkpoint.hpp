#pragma once
/// A training run on LibTorch, saved so that a run resumed equals the run not interrupted.
#include <ATen/CPUGeneratorImpl.h>
#include <torch/optim/optimizer.h>
#include <torch/serialize/input-archive.h>
#include <torch/serialize/output-archive.h>

#include <algorithm>
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

/// How far training had come.
[[nodiscard]] inline train_state read_progress(torch::serialize::InputArchive& archive) {
  at::Tensor progress;
  archive.read("progress", progress);
  auto const host = progress.cpu();
  auto const* const number = host.data_ptr<double>();
  train_state state{.epoch = static_cast<std::size_t>(number[0]),
                    .last_accuracy = number[1],
                    .best_accuracy = number[2],
                    .last_loss = number[3]};
  load_hooks(archive, state);
  return state;
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

namespace detail {

/// What a checkpoint's file says of a tensor of the module.
struct loaded_tensor {
  named_tensor into;
  at::Tensor value;
};

/// The values of every tensor of the module's state, and of nothing else.
template <std::floating_point Scalar>
[[nodiscard]] std::vector<loaded_tensor> read_state(std::filesystem::path const& path, torch::serialize::InputArchive& file,
                                                    torch_model<Scalar>& model) {
  std::vector<loaded_tensor> loaded;
  auto const state = state_of(model.modules());
  for (auto const& each : state) {
    at::Tensor value;
    file.read(each.name, value);
    if (value.sizes() != each.value.sizes())
      fail(path.string(), ": ", each.name, " has the shape ", list(value.sizes()), " where the model has ",
           list(each.value.sizes()), ": resume with the same network");
    loaded.push_back({each, value});
  }
  for (auto const& name : file.keys())
    if (std::ranges::none_of(state, [&](auto const& each) { return each.name == name; }))
      fail(path.string(), " holds ", name, ", which the model has not: resume with the same network");
  return loaded;
}

/// Refuses a file whose weights are not 0 where these masks prune: it is of a run under others.
inline void require_pruned(std::filesystem::path const& path, std::vector<loaded_tensor> const& loaded, mask_set const& masks) {
  for (auto const& each : loaded) {
    auto const* const kept = masks.find(each.into.name);
    if (kept == nullptr || kept->extents() != extents_of(each.value)) continue;
    if (each.value.masked_select(pruned_places(*kept, each.value)).any().template item<bool>())
      fail(path.string(), " holds weights of ", each.into.name,
           " that the masks prune, so it is of another run: resume under its masks, or name another file");
  }
}

/// Reads what `save_checkpoint` wrote into a model and an optimizer of the same make. `masks`: those that the run goes on under unless
/// hooks had set others; null where that is not known.
template <std::floating_point Scalar>
[[nodiscard]] train_state read_checkpoint(std::filesystem::path const& path, torch_model<Scalar>& model,
                                          torch::optim::Optimizer& optimizer, mask_set const* masks) {
  try {
    auto const device = model.near().get().device();
    torch::serialize::InputArchive archive, model_part, optimizer_part;
    archive.load_from(path.string(), device);
    archive.read("model", model_part);
    archive.read("optimizer", optimizer_part);
    at::NoGradGuard const plain;
    auto const loaded = read_state(path, model_part, model);
    auto state = read_progress(archive);
    if (masks != nullptr && state.masks.empty()) require_pruned(path, loaded, *masks);
    optimizer.load(optimizer_part);
    for (auto const& each : loaded) at::Tensor(each.into.value).copy_(each.value);
    auto generators = generators_of(device);
    for (std::size_t i = 0; i < generators.size(); ++i) {
      at::Tensor numbers;
      archive.read("generator" + std::to_string(i), numbers);
      std::scoped_lock const lock(generators[i].mutex());
      generators[i].set_state(numbers.cpu());
    }
    return state;
  } catch (c10::Error const& reason) {
    fail(path.string(), " is no checkpoint of this model and optimizer (", reason.what_without_backtrace(),
         "): resume with what save_checkpoint wrote");
  }
}

}  // namespace detail

/// Reads what `save_checkpoint` wrote into a model and an optimizer of the same make.
template <std::floating_point Scalar>
[[nodiscard]] train_state load_checkpoint(std::filesystem::path const& path, torch_model<Scalar>& model,
                                          torch::optim::Optimizer& optimizer) {
  return detail::read_checkpoint(path, model, optimizer, nullptr);
}

}  // namespace lnpt
