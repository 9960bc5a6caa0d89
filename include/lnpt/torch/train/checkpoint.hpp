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
#include <lnpt/torch/model.hpp>
#include <lnpt/torch/state.hpp>
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
    return {.epoch = static_cast<std::size_t>(number[0]),
            .last_accuracy = number[1],
            .best_accuracy = number[2],
            .last_loss = number[3]};
  } catch (c10::Error const& reason) {
    fail(path.string(), " is no checkpoint of this model and optimizer (", reason.what_without_backtrace(),
         "): resume with what save_checkpoint wrote");
  }
}

}  // namespace lnpt
