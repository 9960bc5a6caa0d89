#pragma once
/// Activation functions but the rectifier, which is a layer of its own.
#include <lnpt/core/activation_function.hpp>
#include <lnpt/nn/pass.hpp>

namespace lnpt::nn {

/// y = f(x); ∂x = ∂y ⊙ f′(x). A trace keeps x alone, and y is computed again where the reverse pass reads it.
///
/// Hessian–vector products carry f″ too. Gauss–Newton's curvature leaves it out, as it leaves out every second derivative of the network:
/// it is the Hessian of the linearised network, also under smooth functions.
///
/// SynFlow takes these functions as they are, at the point that absolute weights and an input of ones lead to: its scores are those of
/// the definition, though R is no longer linear in each layer's weights. A bounded function may saturate there and let nothing through;
/// a flow that is nowhere positive is refused.
struct activation {
  std::size_t input;
  activation_function function;

  static constexpr bool restorable = true;

  [[nodiscard]] links inputs() const { return {input}; }
  [[nodiscard]] links parameters() const { return {}; }
  [[nodiscard]] shape output_shape(std::vector<shape> const& nodes) const { return nodes[input]; }

  template <class A>
  void forward(forward_pass<A> const& pass, node_state<A>& state) const {
    restore(pass, state);
  }
  template <class Pass, class A>
  void restore(Pass const& pass, node_state<A>& state) const {
    state.output = pass.algebra.activate(pass.output(input), function);
  }
  template <class A>
  void reverse(reverse_pass<A>& pass, node_state<A> const&, typename A::tensor const& gy) const {
    if (pass.wants(input)) pass.give(input, pass.algebra.activation_slope(pass.output(input), gy, function));
  }
};

}  // namespace lnpt::nn
