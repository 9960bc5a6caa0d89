#pragma once
/// Synaptic flow: ∂R/∂|θ| for an input of ones.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/core/extremes.hpp>
#include <lnpt/core/gradients.hpp>
#include <lnpt/core/guard.hpp>
#include <lnpt/core/model_access.hpp>
#include <lnpt/evidence/evidence.hpp>

namespace lnpt {

namespace detail {

template <class T>
void make_absolute(parameter<T> const& p) {
  using std::abs;
  assign(*p.value, T(abs(*p.value)));
}

/// The flow depends on absolute values alone, so rounds that restore the model in the end may take them once.
template <prunable Model>
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
[[nodiscard]] gradients<tensor_of<Model>> flow_by_absolute_values(Model& model, shape const& extents) {
  restoring_guard const guard(model);
  for (auto const& p : model.parameters()) make_absolute(p);
  for (auto const& b : buffers_of(model)) make_absolute(b);
  auto const near = tensor_near(model);
  auto trace = model.forward(ones(extents, near), normalization{norm_mode::eval});
  auto const output = shape_of(trace.output());
  return model.backward(trace, {ones(output, near), std::nullopt}, which_gradients::prunable);
}

/// Refuses a flow that is negative anywhere. A network that keeps what is positive positive has none: it reads values ≥ 0 and passes
/// slopes ≥ 0 back. Fast convolutions may be off by rounding: 1024 ε of the largest value of a layer.
template <prunable Model>
void refuse_negative_flow(Model& model, gradients<tensor_of<Model>> const& flows) {
  constexpr double rounding = 1024 * double{std::numeric_limits<value_type<tensor_of<Model>>>::epsilon()};
  auto first = true;
  for (std::size_t i = 0; auto const& p : model.parameters()) {
    auto const& flow = flows[i++];
    if (!flow || !is_prunable(p.role)) continue;
    auto const [low, high] = extremes_of(*flow);
    if (low < -rounding * std::max(high, -low)) {
      auto const values = values_of(*flow);
      auto const negative = std::count_if(values.begin(), values.end(), [](auto v) { return v < 0; });
      auto const counted = std::to_string(negative) + " of " + std::to_string(values.size());
      if (first)
        fail("the synaptic flow of ", p.name, ", the first layer, is negative in ", counted,
             " values: the network subtracts from its input, or what follows its last layer turns slopes around, as log_softmax "
             "does; leave that out of the network, or choose another criterion");
      fail("the synaptic flow of ", p.name, " is negative in ", counted, " values and of no layer before: ", p.name,
           " is the first layer that reads a negative value; rectify what it reads, or choose another criterion");
    }
    first = false;
  }
}

}  // namespace detail

/// ∂R/∂|θ| of SynFlow, for one input of ones in the shape of the request: natively where the engine keeps deep networks finite, by
/// absolute values otherwise. Throws where the flow is negative.
struct flow {
  static constexpr evidence_needs needs{.gradients = true};

  template <class Model>
    requires has_synaptic_flow<Model> || differentiable<Model>
  [[nodiscard]] static gradients<tensor_of<Model>> of_model(Model& model, evidence_request const& request) {
    if (request.input.empty()) fail("synflow needs the shape of one input: pass {channels, height, width}, or {features}");
    auto extents = request.input;
    extents.insert(extents.begin(), 1);
    auto flows = detail::checked_gradients(model, "synaptic_flow()", gather(model, extents, request.signs));
    detail::refuse_negative_flow(model, flows);
    return flows;
  }

 private:
  template <class Model>
  [[nodiscard]] static gradients<tensor_of<Model>> gather(Model& model, shape const& extents, weight_signs signs) {
    if constexpr (requires { model.synaptic_flow(extents, signs); })
      return model.synaptic_flow(extents, signs);
    else if constexpr (has_synaptic_flow<Model>)
      return model.synaptic_flow(extents);
    else
      return detail::flow_by_absolute_values(model, extents);
  }
};

}  // namespace lnpt
