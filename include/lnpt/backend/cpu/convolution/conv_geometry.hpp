#pragma once
/// The geometry of a convolution and the extents that follow from it.
#include <algorithm>
#include <cstddef>

#include <lnpt/backend/cpu/array.hpp>
#include <lnpt/backend/image_extents.hpp>
#include <lnpt/core/error.hpp>
#include <lnpt/core/shape.hpp>
#include <lnpt/core/window.hpp>

namespace lnpt::cpu {

/// Kernel, stride, zero padding, dilation and groups of a convolution, in PyTorch's order.
struct conv_geometry {
  per_axis kernel = 1;
  per_axis stride = 1;
  margins padding = 0;
  per_axis dilation = 1;
  std::size_t groups = 1;

  [[nodiscard]] constexpr window_axis vertical() const { return {kernel.h, stride.h, padding.top, padding.bottom, dilation.h}; }
  [[nodiscard]] constexpr window_axis horizontal() const { return {kernel.w, stride.w, padding.left, padding.right, dilation.w}; }
  [[nodiscard]] std::size_t out_h(std::size_t h) const { return vertical().out(h); }
  [[nodiscard]] std::size_t out_w(std::size_t w) const { return horizontal().out(w); }
  [[nodiscard]] std::size_t taps() const { return kernel.h * kernel.w; }

  friend auto operator<=>(conv_geometry const&, conv_geometry const&) = default;
};

/// Every extent of one convolution, checked: images [C, N, H, W], weights [O, C/groups, kh, kw].
struct conv_extents {
  conv_geometry geometry;
  std::size_t channels, samples, h, w, outputs, out_h, out_w;

  conv_extents(shape const& x, shape const& weights, conv_geometry const& g) : geometry(g) {
    if (x.size() != 4 || weights.size() != 4 || g.groups == 0 || x[0] != weights[1] * g.groups || weights[0] % g.groups != 0 ||
        weights[2] != g.kernel.h || weights[3] != g.kernel.w)
      fail("conv2d: images of shape ", batch_text(x), " and weights of shape ", list(weights), " with a ", g.kernel,
           " kernel, stride ", g.stride, " and ", g.groups,
           " groups; pass images [N, C, H, W] for weights [O, C/groups, kh, kw], O a multiple of the groups");
    if (!g.vertical().fits(x[2]) || !g.horizontal().fits(x[3]))
      fail("conv2d: a ", g.kernel, " kernel with stride ", g.stride, " and dilation ", g.dilation, " on images of shape ",
           batch_text(x), " padded by ", g.padding, "; pass larger images, and a stride and a dilation of at least 1");
    channels = x[0], samples = x[1], h = x[2], w = x[3], outputs = weights[0];
    out_h = g.out_h(h), out_w = g.out_w(w);
  }

  [[nodiscard]] std::size_t taps() const { return geometry.taps(); }
  [[nodiscard]] std::size_t group_channels() const { return channels / geometry.groups; }
  [[nodiscard]] std::size_t group_outputs() const { return outputs / geometry.groups; }
  [[nodiscard]] std::size_t group_weights() const { return group_outputs() * group_channels() * taps(); }
  [[nodiscard]] std::size_t group_inputs() const { return group_channels() * samples * h * w; }
  [[nodiscard]] std::size_t group_results() const { return group_outputs() * samples * out_h * out_w; }
  [[nodiscard]] bool depthwise() const { return group_channels() == 1 && group_outputs() == 1; }
  [[nodiscard]] shape x_shape() const { return {channels, samples, h, w}; }
  [[nodiscard]] shape y_shape() const { return {outputs, samples, out_h, out_w}; }

  /// Refuses an image of any other shape.
  template <class T>
  void require(char const* what, array<T> const& given, shape const& expected) const {
    if (!std::equal(expected.begin(), expected.end(), given.shape().begin(), given.shape().end()))
      fail(what, ": an array of shape ", list(given.shape()), "; pass one of shape ", list(expected));
  }

  /// Sizes an output, or requires the shape of one that is added to.
  template <class T>
  void prepare(char const* what, array<T>& out, shape const& expected, bool accumulate) const {
    if (accumulate) return require(what, out, expected);
    out.resize(expected);
  }
};

}  // namespace lnpt::cpu
