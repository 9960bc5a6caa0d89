#pragma once
/// The rectifier.
#include <lnpt/nn/pass.hpp>

namespace lnpt::nn {

/// y = max(0, x); ∂x = ∂y where y > 0.
struct relu {
  std::size_t input;
  static constexpr bool rectify = true;

  [[nodiscard]] links inputs() const { return {input}; }
  [[nodiscard]] links parameters() const { return {}; }
  [[nodiscard]] shape output_shape(std::vector<shape> const& nodes) const { return nodes[input]; }

  template <class A>
  void forward(forward_pass<A> const& pass, node_state<A>& state) const {
    state.output = pass.algebra.relu(pass.output(input));
  }
  template <class A>
  void reverse(reverse_pass<A>& pass, node_state<A> const& state, typename A::tensor const& gy) const {
    if (pass.wants(input)) pass.give(input, pass.gated_here ? gy : pass.algebra.gate(state.output, gy));
  }
};

}  // namespace lnpt::nn
