#pragma once
/// Puts a module of LibTorch into the state that a pass needs, and back, on every path.
#include <torch/nn/modules/embedding.h>

#include <ranges>
#include <unordered_set>
#include <utility>
#include <vector>

#include <lnpt/core/normalization.hpp>
#include <lnpt/torch/module/layout.hpp>
#include <lnpt/torch/pass/norm_constants.hpp>

namespace lnpt::detail {

/// Gives tensors of a module other storage for a while. The tensors stay the same objects, so that every module and script that holds
/// them sees the change, and their own storage is never written. The first replacement of a tensor holds; a tensor that a module keeps
/// under two names is replaced once.
class storage_guard {
 public:
  storage_guard() = default;
  storage_guard(storage_guard const&) = delete;
  storage_guard& operator=(storage_guard const&) = delete;
  ~storage_guard() {
    for (auto& [tensor, own] : std::views::reverse(replaced_)) tensor.set_data(own);
  }

  /// Whether this is the first replacement of the tensor.
  [[nodiscard]] bool is_first(at::Tensor const& tensor) { return known_.insert(tensor.unsafeGetTensorImpl()).second; }

  void replace(at::Tensor const& tensor, at::Tensor const& by) {
    if (!is_first(tensor)) return;
    replaced_.emplace_back(tensor, tensor.detach());
    tensor.set_data(by);
  }

 private:
  std::unordered_set<void const*> known_;
  std::vector<std::pair<at::Tensor, at::Tensor>> replaced_;
};

/// Gives each batch norm these constants while it lives: in the forward pass, and in every pass back through it.
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

/// Whether a pass may write to a module's parameters: embeddings with a `max_norm` shorten the rows that they read. Of a script its type
/// does not tell.
[[nodiscard]] inline bool shortens_rows(module_entry const& entry) {
  if (!mentions(entry.type, "Embedding")) return false;
  if (auto const* const table = dynamic_cast<torch::nn::EmbeddingImpl const*>(entry.module.get()))
    return table->options.max_norm().has_value();
  if (auto const* const bag = dynamic_cast<torch::nn::EmbeddingBagImpl const*>(entry.module.get()))
    return bag->options.max_norm().has_value();
  return true;
}

/// Puts back the values of tensors that a pass may write to, and that are told by where they lie while it runs.
class values_guard {
 public:
  values_guard() = default;
  values_guard(values_guard const&) = delete;
  values_guard& operator=(values_guard const&) = delete;
  ~values_guard() {
    at::NoGradGuard const plain;
    for (auto const& [tensor, before] : kept_)  // unseen by autograd, whose graph may have saved the tensor with these values
      if (!tensor.equal(before)) tensor.variable_data().copy_(before);
  }

  void keep(at::Tensor const& tensor) { kept_.emplace_back(tensor, tensor.detach().clone()); }

 private:
  std::vector<std::pair<at::Tensor, at::Tensor>> kept_;
};

/// Whatever a pass writes to a module's buffers, or to rows of embeddings, is lost when it ends: buffers are copies, rows get their values
/// back, and a script that assigns a new tensor to a buffer gets the old one back.
class buffer_guard {
 public:
  explicit buffer_guard(module_tree const& tree) {
    for (auto const& entry : tree) {
      auto const buffers = entry.buffers();
      for (auto const& buffer : buffers) storage_.replace(buffer.value, buffer.value.detach().clone());
      if (shortens_rows(entry))
        for (auto const& table : entry.parameters) rows_.keep(table.value);
      if (entry.put_back) own_.emplace_back(&entry, buffers);
    }
  }
  buffer_guard(buffer_guard const&) = delete;
  buffer_guard& operator=(buffer_guard const&) = delete;
  ~buffer_guard() {
    for (auto const& [entry, buffers] : own_)
      for (auto const& buffer : buffers) entry->put_back(buffer);
  }

 private:
  storage_guard storage_;
  values_guard rows_;
  std::vector<std::pair<module_entry const*, std::vector<named_tensor>>> own_;
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

/// Everything evaluates but the norm layers that are to use statistics of the batch. Buffers are as before when it ends.
class mode_guard {
 public:
  mode_guard(module_tree const& tree, norm_mode mode) : buffers_(tree), modes_(tree, false) {
    for (auto const& entry : tree) {
      auto const of_batch = is_instance_norm(entry) ? mode != norm_mode::eval : mode == norm_mode::train;
      if (of_batch && find_tensor(entry.buffers(), "running_mean").defined()) entry.train(true);
    }
  }

 private:
  buffer_guard buffers_;
  training_guard modes_;
};

/// Lets every parameter require gradients, so that a pass leaves the whole graph.
class gradient_guard {
 public:
  explicit gradient_guard(model_layout const& layout) {
    for (auto const& held : layout.frozen) {
      auto const& p = held.value;
      if (!at::isFloatingType(p.scalar_type()) || p.requires_grad() || p.is_inference()) continue;
      p.set_requires_grad(true);
      changed_.push_back(p);
    }
  }
  gradient_guard(gradient_guard const&) = delete;
  gradient_guard& operator=(gradient_guard const&) = delete;
  ~gradient_guard() {
    for (auto const& p : changed_) p.set_requires_grad(false);
  }

 private:
  std::vector<at::Tensor> changed_;
};

}  // namespace lnpt::detail
