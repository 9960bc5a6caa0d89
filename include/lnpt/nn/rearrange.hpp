#pragma once
/// Layers that only move values: slices, zeros around an image, channels in another order, pixels repeated, features as images.
#include <lnpt/core/window.hpp>
#include <lnpt/nn/pass.hpp>

namespace lnpt::nn {

/// Some channels, rows and columns of an image, or some features of a matrix: every step-th index of each range.
struct slice {
  std::size_t input;
  image_region region;

  [[nodiscard]] links inputs() const { return {input}; }
  [[nodiscard]] links parameters() const { return {}; }
  [[nodiscard]] shape output_shape(std::vector<shape> const& nodes) const {
    auto const& x = nodes[input];
    if (x.size() != 4) return {x[0], region.channels.count(x[1])};
    return {region.channels.count(x[0]), x[1], region.rows.count(x[2]), region.columns.count(x[3])};
  }

  template <class A>
  void forward(forward_pass<A> const& pass, node_state<A>& state) const {
    state.output = pass.algebra.slice(pass.output(input), region);
  }
  template <class A>
  void reverse(reverse_pass<A>& pass, node_state<A> const&, typename A::tensor const& gy) const {
    if (pass.wants(input)) pass.give(input, pass.algebra.unslice(gy, region, pass.extents_of(input)));
  }
};

/// Zeros around an image: channels before and after, pixels on each side.
struct pad {
  std::size_t input;
  std::size_t before = 0, after = 0;  ///< channels
  margins around = 0;

  [[nodiscard]] links inputs() const { return {input}; }
  [[nodiscard]] links parameters() const { return {}; }
  [[nodiscard]] shape output_shape(std::vector<shape> const& nodes) const { return padded(nodes[input]); }

  template <class A>
  void forward(forward_pass<A> const& pass, node_state<A>& state) const {
    auto const& x = pass.output(input);
    auto const extents = pass.extents(x);
    state.output = pass.algebra.unslice(x, inside(extents), padded(extents));
  }
  template <class A>
  void reverse(reverse_pass<A>& pass, node_state<A> const&, typename A::tensor const& gy) const {
    if (pass.wants(input)) pass.give(input, pass.algebra.slice(gy, inside(pass.extents_of(input))));
  }

 private:
  [[nodiscard]] shape padded(shape const& x) const {
    if (x.size() != 4) fail("zero padding of an array of shape ", list(x), "; pass an image");
    return {before + x[0] + after, x[1], around.top + x[2] + around.bottom, around.left + x[3] + around.right};
  }
  [[nodiscard]] image_region inside(shape const& x) const {
    return {{before, before + x[0]}, {around.top, around.top + x[2]}, {around.left, around.left + x[3]}};
  }
};

/// Channels as `groups` rows, read by columns. Zhang et al., CVPR 2018, arXiv:1707.01083.
struct channel_shuffle {
  std::size_t input;
  std::size_t groups;

  [[nodiscard]] links inputs() const { return {input}; }
  [[nodiscard]] links parameters() const { return {}; }
  [[nodiscard]] shape output_shape(std::vector<shape> const& nodes) const { return nodes[input]; }

  template <class A>
  void forward(forward_pass<A> const& pass, node_state<A>& state) const {
    state.output = pass.algebra.channel_shuffle(pass.output(input), groups);
  }
  template <class A>
  void reverse(reverse_pass<A>& pass, node_state<A> const&, typename A::tensor const& gy) const {
    if (pass.wants(input)) pass.give(input, pass.algebra.channel_shuffle(gy, pass.extents(gy)[0] / groups));
  }
};

/// Every pixel `factor` times in each direction; the gradient of a pixel is the sum over its copies.
struct upsample_nearest {
  std::size_t input;
  per_axis factor;

  [[nodiscard]] links inputs() const { return {input}; }
  [[nodiscard]] links parameters() const { return {}; }
  [[nodiscard]] shape output_shape(std::vector<shape> const& nodes) const {
    auto const& x = nodes[input];
    return {x[0], x[1], x[2] * factor.h, x[3] * factor.w};
  }

  template <class A>
  void forward(forward_pass<A> const& pass, node_state<A>& state) const {
    state.output = pass.algebra.upsample_nearest(pass.output(input), factor);
  }
  template <class A>
  void reverse(reverse_pass<A>& pass, node_state<A> const&, typename A::tensor const& gy) const {
    if (pass.wants(input)) pass.give(input, pass.algebra.upsample_nearest_adjoint(gy, factor));
  }
};

/// [N, C·H·W] as an image [C, N, H, W] of this size, in PyTorch's order: a gate that linear layers computed, with a size of 1.
struct unflatten {
  std::size_t input;
  per_axis size = 1;

  [[nodiscard]] links inputs() const { return {input}; }
  [[nodiscard]] links parameters() const { return {}; }
  [[nodiscard]] shape output_shape(std::vector<shape> const& nodes) const { return image_of(nodes[input]); }

  template <class A>
  void forward(forward_pass<A> const& pass, node_state<A>& state) const {
    auto const& x = pass.output(input);
    state.output = pass.algebra.unflatten(x, image_of(pass.extents(x)));
  }
  template <class A>
  void reverse(reverse_pass<A>& pass, node_state<A> const&, typename A::tensor const& gy) const {
    if (pass.wants(input)) pass.give(input, pass.algebra.flatten(gy));
  }

 private:
  [[nodiscard]] shape image_of(shape const& x) const {
    if (x.size() != 2 || size.h * size.w == 0 || x[1] % (size.h * size.w) != 0)
      fail("an array of shape ", list(x), " as images of ", size, "; pass a feature matrix whose width is a multiple of that");
    return {x[1] / (size.h * size.w), x[0], size.h, size.w};
  }
};

}  // namespace lnpt::nn
