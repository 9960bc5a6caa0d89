#pragma once
/// Puts a module of LibTorch into the state that a pass needs, and back, on every path.
#include <utility>
#include <vector>

#include <lnpt/torch/pass/norm_constants.hpp>

namespace lnpt::detail {

/// Gives tensors of a module other storage for a while. The tensors stay the same objects, so that every module and script that holds
/// them sees the change, and their own storage is never written.
class storage_guard {
 public:
  storage_guard() = default;
  storage_guard(storage_guard const&) = delete;
  storage_guard& operator=(storage_guard const&) = delete;
  ~storage_guard() {
    for (auto& [tensor, own] : replaced_) tensor.set_data(own);
  }

  void replace(at::Tensor const& tensor, at::Tensor const& by) {
    replaced_.emplace_back(tensor, tensor.detach());
    tensor.set_data(by);
  }

 private:
  std::vector<std::pair<at::Tensor, at::Tensor>> replaced_;
};

/// Gives each norm layer these constants while it lives: in the forward pass, and in every pass back through it.
class norm_guard {
 public:
  norm_guard(std::vector<norm_layer> const& norms, norm_constants const& constants) {
    for (std::size_t i = 0; i < constants.size(); ++i) {
      storage_.replace(norms[i].mean, constants[i].first);
      storage_.replace(norms[i].variance, constants[i].second);
    }
  }

 private:
  storage_guard storage_;
};

/// Puts every module into training or evaluation, and at the end back into its own mode.
class training_guard {
 public:
  training_guard(module_tree const& tree, bool training) : tree_(tree) {
    for (auto const& entry : tree) own_.push_back(entry.training());
    for (auto const& entry : tree) entry.train(training);
  }
  training_guard(training_guard const&) = delete;
  training_guard& operator=(training_guard const&) = delete;
  ~training_guard() {
    for (std::size_t i = 0; i < tree_.size(); ++i) tree_[i].train(own_[i]);
  }

 private:
  module_tree const& tree_;
  std::vector<char> own_;
};

/// Everything evaluates but the norm layers, which train if asked; what training would write to buffers is lost.
class mode_guard {
 public:
  mode_guard(module_tree const& tree, bool train_norms) : modes_(tree, false) {
    if (!train_norms) return;
    for (auto const& entry : tree) {
      if (find_tensor(entry.buffers, "running_mean").defined()) entry.train(true);
      for (auto const& buffer : entry.buffers) storage_.replace(buffer.value, buffer.value.detach().clone());
    }
  }

 private:
  storage_guard storage_;
  training_guard modes_;
};

}  // namespace lnpt::detail
