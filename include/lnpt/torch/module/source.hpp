#pragma once
/// How a module of LibTorch is called: with a callable, by its parts, or as it is.
#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include <concepts>
#include <functional>
#include <memory>
#include <utility>

#include <lnpt/core/error.hpp>
#include <lnpt/torch/module/module_tree.hpp>

namespace lnpt::detail {

/// What a callable returned; undefined features stand for "the input of what makes the logits".
struct torch_prediction {
  at::Tensor logits, features;
};

using torch_callable = std::function<torch_prediction(at::Tensor const&)>;

/// A tensor, or anything of two tensors that `auto [logits, features] = …` takes apart.
template <class Returned>
[[nodiscard]] torch_prediction predicted_from(Returned&& returned) {
  if constexpr (std::convertible_to<Returned, at::Tensor>) {
    return {std::forward<Returned>(returned), {}};
  } else {
    auto&& [logits, features] = std::forward<Returned>(returned);
    return {logits, features};
  }
}

template <class M>
concept has_parts = requires(M& module, at::Tensor const& x) {
  { module.head(module.features(x)) } -> std::convertible_to<at::Tensor>;
};

template <class M>
[[nodiscard]] torch_callable callable_of(std::shared_ptr<M> module) {
  if constexpr (has_parts<M>) {
    return [module](at::Tensor const& x) {
      at::Tensor const features = module->features(x);
      return torch_prediction{module->head(features), features};
    };
  } else {
    static_assert(
        requires(M& m, at::Tensor const& x) { m.forward(x); },
        "lnpt: this module has neither forward(x) nor features(x) and head(f). Pass a callable that returns {logits, features}.");
    return [module](at::Tensor const& x) { return predicted_from(module->forward(x)); };
  }
}

template <class M>
[[nodiscard]] std::shared_ptr<M> shared_module(std::shared_ptr<M> module) {
  if (!module) fail("the module is null: construct it first");
  return module;
}
template <class M>
[[nodiscard]] std::shared_ptr<M> shared_module(torch::nn::ModuleHolder<M> const& holder) {
  return shared_module(holder.ptr());
}

/// Where a model comes from: a tree of modules, a way to call it, and a guard that lives while it is called. Scripts have their own:
/// script.hpp.
template <class Module>
struct torch_source {
  struct call_guard {};

  [[nodiscard]] static module_tree tree(Module const& module) { return tree_of(*shared_module(module)); }
  [[nodiscard]] static torch_callable callable(Module const& module) { return callable_of(shared_module(module)); }
};

}  // namespace lnpt::detail
