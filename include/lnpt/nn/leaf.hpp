#pragma once
/// A parameter or a buffer as a node: what other layers add to an image, or multiply it by.
#include <cstddef>

#include <lnpt/core/error.hpp>
#include <lnpt/nn/pass.hpp>

namespace lnpt::nn {

/// y = θ, one image [C, 1, H, W] for all samples, to be joined with others by layers that stretch it: γ ⊙ x of a LayerScale, (x − μ) / σ
/// of a normalisation inside the network. ∂θ = ∂y.
///
/// Never pruned, and no mask clears it. SynFlow reads |θ|.
struct leaf {
  std::size_t tensor;      ///< parameter, or buffer
  bool is_buffer = false;  ///< a constant, which no training moves
  shape extents = {};      ///< [C, 1, H, W]

  [[nodiscard]] links inputs() const { return {}; }
  [[nodiscard]] links parameters() const { return is_buffer ? links{} : links{tensor}; }
  [[nodiscard]] links buffers() const { return is_buffer ? links{tensor} : links{}; }
  [[nodiscard]] shape output_shape(std::vector<shape> const&) const { return extents; }

  template <class A>
  void forward(forward_pass<A> const& pass, node_state<A>& state) const {
    state.output = (is_buffer ? pass.buffers : pass.parameters)[tensor];
    if (auto const held = pass.extents(state.output); held != extents)
      fail("a leaf of shape ", list(extents), " holds a tensor of shape ", list(held), "; give it one of its own shape");
  }
  template <class A>
  void reverse(reverse_pass<A>& pass, node_state<A> const&, typename A::tensor const& gy) const {
    if (!is_buffer && pass.wants_gradient(tensor)) pass.give_gradient(tensor, gy);
  }
};

}  // namespace lnpt::nn
