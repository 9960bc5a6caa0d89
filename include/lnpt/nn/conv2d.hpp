#pragma once
/// Two-dimensional convolution.
#include <utility>

#include <lnpt/nn/pass.hpp>

namespace lnpt::nn {

/// y = w ∗ x + b, weights [O, C/groups, kh, kw]. Reverse: ∂x = w ⋆ ∂y, ∂w = x ⋆ ∂y, ∂b = Σ ∂y: the convolution triple.
template <class Geometry>
struct conv2d {
  std::size_t input;
  std::size_t weight;
  std::optional<std::size_t> bias;
  Geometry geometry;
  static constexpr bool runs_on_kept_weights = true;

  [[nodiscard]] links inputs() const { return {input}; }
  [[nodiscard]] links parameters() const { return bias ? links{weight, *bias} : links{weight}; }
  [[nodiscard]] shape output_shape(std::vector<shape> const& nodes, std::vector<shape> const& parameters) const {
    return shape_of_result(nodes[input], parameters[weight]);
  }
  /// From the shapes of the images and of the weights.
  [[nodiscard]] shape shape_of_result(shape const& x, shape const& w) const {
    return {w[0], x[1], geometry.out_h(x[2]), geometry.out_w(x[3])};
  }

  template <class A>
  void forward(forward_pass<A> const& pass, node_state<A>& state) const {
    state.output = pass.algebra.conv2d(pass.output(input), pass.parameters[weight], geometry);
    if (!bias) return;
    auto const shift = pass.algebra.as_channels(pass.parameters[*bias]);
    state.output = pass.algebra.combine({{state.output, std::nullopt}}, &shift, {});
  }

  template <class A>
  void reverse(reverse_pass<A>& pass, node_state<A> const&, typename A::tensor const& gy) const {
    auto const& x = pass.output(input);
    auto const& w = pass.parameters[weight];
    if (bias && pass.wants_gradient(*bias)) pass.give_gradient(*bias, pass.algebra.as_tensor(pass.algebra.channel_sum(gy)));
    if (pass.wants_gradient(weight) && pass.wants(input))
      if (auto both = pass.algebra.conv2d_gradients(x, gy, geometry, w, pass.given(input), pass.rectifies(input))) {
        pass.give_gradient(weight, std::move(both->first));
        pass.give_whole(input, std::move(both->second));
        return;
      }
    if (pass.wants_gradient(weight)) pass.give_gradient(weight, pass.algebra.conv2d_weight_gradient(x, gy, geometry, w));
    if (pass.wants(input)) pass.give(input, pass.algebra.conv2d_input_gradient(gy, w, geometry, pass.extents(x)));
  }
};

}  // namespace lnpt::nn
