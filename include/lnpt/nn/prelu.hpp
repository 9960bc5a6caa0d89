#pragma once
/// The rectifier whose slope below zero is learnt.
#include <lnpt/nn/pass.hpp>

namespace lnpt::nn {

/// y = x where x > 0, else a x; a per channel, or one for all. He et al., ICCV 2015, arXiv:1502.01852.
/// ∂x = ∂y where x > 0, else a ∂y; ∂a = Σ ∂y x over x ≤ 0.
struct prelu {
  std::size_t input;
  std::size_t slope;  ///< parameter a, [C] or [1]

  [[nodiscard]] links inputs() const { return {input}; }
  [[nodiscard]] links parameters() const { return {slope}; }
  [[nodiscard]] shape output_shape(std::vector<shape> const& nodes) const { return nodes[input]; }

  template <class A>
  void forward(forward_pass<A> const& pass, node_state<A>& state) const {
    auto const& x = pass.output(input);
    state.output = pass.algebra.prelu(x, x, pass.parameters[slope]);
  }
  template <class A>
  void reverse(reverse_pass<A>& pass, node_state<A> const&, typename A::tensor const& gy) const {
    auto const& x = pass.output(input);
    if (pass.wants_gradient(slope)) pass.give_gradient(slope, pass.algebra.prelu_sums(x, gy, pass.parameters[slope]));
    if (pass.wants(input)) pass.give(input, pass.algebra.prelu(x, gy, pass.parameters[slope]));
  }
};

}  // namespace lnpt::nn
