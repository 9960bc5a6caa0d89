#pragma once
/// From images to a feature matrix.
#include <lnpt/nn/pass.hpp>

namespace lnpt::nn {

/// [N, C, H, W] as [N, C·H·W], in PyTorch's order; a feature matrix stays as it is.
struct flatten {
  std::size_t input;

  [[nodiscard]] links inputs() const { return {input}; }
  [[nodiscard]] links parameters() const { return {}; }
  [[nodiscard]] shape output_shape(std::vector<shape> const& nodes) const {
    auto const& x = nodes[input];
    return x.size() == 4 ? shape{x[1], x[0] * x[2] * x[3]} : x;
  }

  template <class A>
  void forward(forward_pass<A> const& pass, node_state<A>& state) const {
    auto const& x = pass.output(input);
    state.output = are_images(pass.extents(x)) ? pass.algebra.flatten(x) : x;
  }
  template <class A>
  void reverse(reverse_pass<A>& pass, node_state<A> const&, typename A::tensor const& gy) const {
    if (!pass.wants(input)) return;
    auto const extents = pass.extents_of(input);
    pass.give(input, are_images(extents) ? pass.algebra.unflatten(gy, extents) : gy);
  }
};

}  // namespace lnpt::nn
