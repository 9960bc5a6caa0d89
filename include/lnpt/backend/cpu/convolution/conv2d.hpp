#pragma once
/// Convolution of images [C, N, H, W] with weights [O, C/groups, kh, kw], and its three derivatives.
///
/// Each of the four is computed as one large matrix product. Pixels are copied, padded, in blocks that fit the cache, and the taps of the kernel read that
/// copy at different offsets, so that no matrix of all columns is ever built. Tasks depend on the shapes alone, and sums are added in a
/// fixed order: the same bits for any number of threads.
#include <algorithm>

#include <lnpt/backend/cpu/array.hpp>
#include <lnpt/backend/cpu/convolution/conv_geometry.hpp>
#include <lnpt/backend/cpu/convolution/correlate.hpp>
#include <lnpt/backend/cpu/convolution/depthwise.hpp>
#include <lnpt/backend/cpu/convolution/few_pixels.hpp>
#include <lnpt/backend/cpu/convolution/sweep.hpp>
#include <lnpt/backend/cpu/convolution/weight_gradient.hpp>
#include <lnpt/backend/cpu/layout.hpp>
#include <lnpt/backend/cpu/parallel.hpp>

namespace lnpt::cpu {

namespace detail {

/// The sums of x ∗ w, which end in y as `end` says.
template <class T>
void convolve(conv_extents const& e, T const* x, T const* w, T* y, ending<T> const& end) {
  if (by_few_pixels<T>(e, [&](auto const& one, std::size_t g) {
        one.forward(x + g * e.group_inputs(), w + g * e.group_weights(), y + g * e.group_results(),
                    end.from(g * e.group_outputs(), g * e.group_results()));
      }))
    return;
  image_view<T const> const source{x, e.group_channels(), e.samples, e.h, e.w};
  image_view<T> const destination{y, e.group_outputs(), e.samples, e.out_h, e.out_w};
  if (e.depthwise()) return correlate_depthwise(forward_sweep(e), source, destination, w, e.taps(), e.channels, end);
  correlate(forward_sweep(e), source, destination, w, {e.group_channels() * e.taps(), e.taps()}, e.group_weights(),
            e.geometry.groups, end);
}

}  // namespace detail

/// y = x ∗ w, or y += x ∗ w.
template <class T>
void conv2d(array<T> const& x, array<T> const& w, conv_geometry const& geometry, array<T>& y, bool accumulate) {
  conv_extents const e(detail::extents_of(x), detail::extents_of(w), geometry);
  e.prepare("conv2d", y, e.y_shape(), accumulate);
  detail::convolve(e, x.data(), w.data(), y.data(), detail::stored_or_added(y.data(), accumulate));
}

/// gx: the gradient with respect to x, of this shape.
template <class T>
void conv2d_input_gradient(array<T> const& gy, array<T> const& w, conv_geometry const& geometry, shape const& x_shape,
                           array<T>& gx, bool accumulate) {
  conv_extents const e(x_shape, detail::extents_of(w), geometry);
  e.require("conv2d_input_gradient", gy, e.y_shape());
  e.prepare("conv2d_input_gradient", gx, x_shape, accumulate);
  if (detail::by_few_pixels<T>(e, [&](auto const& one, std::size_t g) {
        one.input_gradient(gy.data() + g * e.group_results(), w.data() + g * e.group_weights(), gx.data() + g * e.group_inputs(),
                           accumulate);
      }))
    return;
  auto const sweeps = detail::input_gradient_sweeps(e);
  bool const gaps = std::ranges::any_of(sweeps, [](auto const& s) { return s.taps.empty(); });  // pixels that no output reads
  if (gaps && !accumulate) std::fill(gx.data(), gx.data() + gx.size(), T{0});
  detail::image_view<T const> const source{gy.data(), e.group_outputs(), e.samples, e.out_h, e.out_w};
  detail::image_view<T> const destination{gx.data(), e.group_channels(), e.samples, e.h, e.w};
  auto const end = detail::stored_or_added(gx.data(), accumulate);
  for (auto const& s : sweeps)
    if (e.depthwise())
      detail::correlate_depthwise(s, source, destination, w.data(), e.taps(), e.channels, end);
    else
      detail::correlate(s, source, destination, w.data(), {e.taps(), e.group_channels() * e.taps()}, e.group_weights(),
                        geometry.groups, end);
}

namespace detail {

template <weight_sum Sum, class T>
void sum_weight_gradients(char const* what, array<T> const& x, array<T> const& gy, conv_geometry const& geometry,
                          shape const& w_shape, array<T>& gw, bool accumulate) {
  conv_extents const e(extents_of(x), w_shape, geometry);
  e.require(what, gy, e.y_shape());
  e.prepare(what, gw, w_shape, accumulate);
  if constexpr (Sum == weight_sum::gradient)
    if (by_few_pixels<T>(e, [&](auto const& one, std::size_t g) {
          one.weight_gradient(x.data() + g * e.group_inputs(), gy.data() + g * e.group_results(),
                              gw.data() + g * e.group_weights(), accumulate);
        }))
      return;
  auto const s = forward_sweep(e);
  image_view<T const> inputs{x.data(), e.group_channels(), e.samples, e.h, e.w};
  image_view<T const> gradients{gy.data(), e.group_outputs(), e.samples, e.out_h, e.out_w};
  if (e.depthwise()) return sum_depthwise<Sum>(s, inputs, gradients, gw.data(), e.channels, accumulate);
  for (std::size_t g = 0; g < geometry.groups; ++g) {
    weight_gradient_sums<Sum, T> sums(s, inputs, gradients);
    for_each_task(sums.tasks(), sums);
    sums.write(gw.data() + g * e.group_weights(), accumulate);
    inputs.data += inputs.channels * inputs.channel_stride();
    gradients.data += gradients.channels * gradients.channel_stride();
  }
}

}  // namespace detail

/// gw: the gradient with respect to w, of this shape.
template <class T>
void conv2d_weight_gradient(array<T> const& x, array<T> const& gy, conv_geometry const& geometry, shape const& w_shape,
                            array<T>& gw, bool accumulate) {
  detail::sum_weight_gradients<detail::weight_sum::gradient>("conv2d_weight_gradient", x, gy, geometry, w_shape, gw, accumulate);
}

/// sum = Σ_b (gw of sample b)², elementwise, at little more than the cost of gw itself.
template <class T>
void conv2d_weight_gradient_squares(array<T> const& x, array<T> const& gy, conv_geometry const& geometry, shape const& w_shape,
                                    array<T>& sum, bool accumulate) {
  detail::sum_weight_gradients<detail::weight_sum::squares>("conv2d_weight_gradient_squares", x, gy, geometry, w_shape, sum,
                                                            accumulate);
}

}  // namespace lnpt::cpu
