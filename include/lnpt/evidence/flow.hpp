#pragma once
/// Synaptic flow: ∂R/∂|θ| for an input of ones.
#include <algorithm>
#include <cmath>

#include <lnpt/core/error.hpp>
#include <lnpt/core/guard.hpp>

namespace lnpt::detail {

template <class T>
void make_absolute(parameter<T> const& p) {
  using std::abs;
  assign(*p.value, T(abs(*p.value)));
}

/// The flow depends on absolute values alone, so rounds that restore the model in the end may take them once.
template <differentiable Model>
void forget_signs(Model& model) {
  for (auto const& p : model.parameters())
    if (is_prunable(p.role)) make_absolute(p);
}

template <class T>
[[nodiscard]] T ones(shape const& extents, T const& near) {
  return make_tensor<T>(extents, std::vector<value_type<T>>(element_count(extents), value_type<T>{1}), near);
}

/// R = 1ᵀ f(1; |θ|) differentiated with every parameter and buffer by its absolute value; the model is as before afterwards.
template <differentiable Model>
[[nodiscard]] auto flow_by_absolute_values(Model& model, shape const& extents) {
  restoring_guard const guard(model);
  for (auto const& p : model.parameters()) make_absolute(p);
  for (auto const& b : buffers_of(model)) make_absolute(b);
  auto const near = *model.parameters().begin()->value;
  auto trace = model.forward(ones(extents, near), normalization{norm_mode::eval});
  auto const output = shape_of(trace.output());
  return gradients<tensor_of<Model>>(model.backward(trace, {ones(output, near), std::nullopt}, which_gradients::prunable));
}

/// The flow of every prunable parameter for one input of shape `extents` (without a batch axis): natively where the engine keeps deep
/// networks finite, by absolute values otherwise.
template <differentiable Model>
[[nodiscard]] auto gather_flow(Model& model, shape extents, weight_signs signs) {
  if (extents.empty()) fail("synflow needs the shape of one input: pass {channels, height, width}, or {features}");
  extents.insert(extents.begin(), 1);
  if constexpr (requires { model.synaptic_flow(extents, signs); })
    return gradients<tensor_of<Model>>(model.synaptic_flow(extents, signs));
  else if constexpr (has_synaptic_flow<Model>)
    return gradients<tensor_of<Model>>(model.synaptic_flow(extents));
  else
    return flow_by_absolute_values(model, extents);
}

}  // namespace lnpt::detail
