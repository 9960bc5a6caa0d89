#pragma once
/// Layers that join branches: addition, concatenation, and the parameter-free shortcut of ResNets.
#include <lnpt/nn/pass.hpp>

namespace lnpt::nn {

/// z = x + y, then max(0, z) if `rectify`; an extent of 1 stretches to the other node's.
struct add {
  std::size_t first, second;
  bool rectify = false;

  [[nodiscard]] links inputs() const { return {first, second}; }
  [[nodiscard]] links parameters() const { return {}; }
  [[nodiscard]] shape output_shape(std::vector<shape> const& nodes) const { return broadcast_shape(nodes[first], nodes[second]); }

  template <class A>
  void forward(forward_pass<A> const& pass, node_state<A>& state) const {
    auto const& x = pass.output(first);
    auto const& y = pass.output(second);
    auto const extents = broadcast_shape(pass.extents(x), pass.extents(y));
    state.output = pass.algebra.add(pass.stretched(x, extents), pass.stretched(y, extents), rectify);
  }
  template <class A>
  void reverse(reverse_pass<A>& pass, node_state<A> const& state, typename A::tensor const& gz) const {
    auto const g = rectify && !pass.gated_here ? pass.algebra.gate(state.output, gz) : gz;
    for (auto const node : {first, second})
      if (pass.wants(node)) pass.give(node, pass.summed(g, pass.extents_of(node)));
  }
};

/// The channels of several images, one image after the other.
struct concat {
  links images;

  [[nodiscard]] links inputs() const { return images; }
  [[nodiscard]] links parameters() const { return {}; }
  [[nodiscard]] shape output_shape(std::vector<shape> const& nodes) const {
    auto result = nodes[images.front()];
    for (std::size_t i = 1; i < images.size(); ++i) result[0] += nodes[images[i]][0];
    return result;
  }

  template <class A>
  void forward(forward_pass<A> const& pass, node_state<A>& state) const {
    std::vector<typename A::tensor> read;
    for (auto const node : images) read.push_back(pass.output(node));
    state.output = pass.algebra.concat(read);
  }
  template <class A>
  void reverse(reverse_pass<A>& pass, node_state<A> const&, typename A::tensor const& gy) const {
    std::size_t begin = 0;
    for (auto const node : images) {
      auto const end = begin + image_extents(pass.extents_of(node)).channels;
      if (pass.wants(node)) pass.give(node, pass.algebra.slice_channels(gy, begin, end));
      begin = end;
    }
  }
};

/// Every `stride`-th pixel, with zero channels before and after, to `channels` in all: "option A" of He et al., CVPR 2016,
/// arXiv:1512.03385.
struct subsample_pad {
  std::size_t input;
  std::size_t stride;
  std::size_t channels;
  std::size_t before;  ///< zero channels

  [[nodiscard]] links inputs() const { return {input}; }
  [[nodiscard]] links parameters() const { return {}; }
  [[nodiscard]] shape output_shape(std::vector<shape> const& nodes) const {
    auto const& x = nodes[input];
    return {channels, x[1], (x[2] + stride - 1) / stride, (x[3] + stride - 1) / stride};
  }

  template <class A>
  void forward(forward_pass<A> const& pass, node_state<A>& state) const {
    state.output = pass.algebra.subsample_pad(pass.output(input), stride, channels, before);
  }
  template <class A>
  void reverse(reverse_pass<A>& pass, node_state<A> const&, typename A::tensor const& gy) const {
    if (!pass.wants(input)) return;
    pass.give(input, pass.algebra.subsample_pad_adjoint(gy, stride, pass.extents_of(input), before));
  }
};

}  // namespace lnpt::nn
