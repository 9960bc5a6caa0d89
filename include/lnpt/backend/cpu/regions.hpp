#pragma once
/// Copies of parts of arrays: slices and their adjoints, channels in another order, pixels repeated.
#include <algorithm>
#include <array>
#include <cstddef>

#include <lnpt/backend/cpu/layout.hpp>
#include <lnpt/backend/cpu/pool.hpp>
#include <lnpt/backend/cpu/strided_walk.hpp>
#include <lnpt/backend/region_view.hpp>
#include <lnpt/core/window.hpp>

namespace lnpt::cpu {

namespace detail {

/// A region of a contiguous array, and a walk over it.
struct region_view : lnpt::detail::region_view {
  region_view(shape const& whole, image_region const& region)
      : lnpt::detail::region_view(whole, contiguous_strides(whole), region) {}

  /// Calls `f(first element in the whole, step, first element in the region, elements)` for runs, in parallel.
  template <class F>
  void for_each(F f) const {
    strided_walk<1> const walk(extents, {strides});
    walk.for_each([&](auto const& at, std::size_t first, std::size_t n) { f(begin + at[0], walk.steps()[0], first, n); });
  }
};

}  // namespace detail

/// A region of x.
template <class T>
[[nodiscard]] array<T> slice(array<T> const& x, image_region const& region) {
  detail::region_view const part(detail::extents_of(x), region);
  auto result = uninitialized<T>(part.extents);
  part.for_each([from = x.data(), to = result.data()](std::size_t at, std::size_t step, std::size_t first, std::size_t n) {
    if (step == 1)
      std::copy_n(from + at, n, to + first);
    else
      for (std::size_t i = 0; i < n; ++i) to[first + i] = from[at + i * step];
  });
  return result;
}

/// An array of this shape that holds x in a region and zeros elsewhere: the adjoint of `slice`.
template <class T>
[[nodiscard]] array<T> unslice(array<T> const& x, image_region const& region, shape const& whole) {
  detail::region_view const part(whole, region);
  if (part.extents != detail::extents_of(x))
    fail("unslice: an array of shape ", list(x.shape()), " for a region of shape ", list(part.extents),
         "; pass one of that shape");
  auto result = uninitialized<T>(whole);
  if (part.extents != whole) result = filled<T>(whole, T{0});
  part.for_each([from = x.data(), to = result.data()](std::size_t at, std::size_t step, std::size_t first, std::size_t n) {
    if (step == 1)
      std::copy_n(from + first, n, to + at);
    else
      for (std::size_t i = 0; i < n; ++i) to[at + i * step] = from[first + i];
  });
  return result;
}

/// The channels as `groups` rows, read by columns: channel a·C/groups + b becomes channel b·groups + a. The adjoint, and inverse, has
/// C/groups groups.
template <class T>
[[nodiscard]] array<T> channel_shuffle(array<T> const& x, std::size_t groups) {
  auto const extents = detail::extents_of(x);
  detail::require_rank_4("channel_shuffle", extents);
  if (groups == 0 || extents[0] % groups != 0)
    fail("channel_shuffle: ", groups, " groups of ", extents[0], " channels; pass a number that divides them");
  auto const columns = extents[0] / groups;
  auto const run = extents[1] * extents[2] * extents[3];
  auto result = uninitialized<T>(extents);
  detail::strided_walk<1> const walk({columns, groups, run}, {shape{run, columns * run, 1}});
  walk.for_each([&](auto const& at, std::size_t first, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) result.data()[first + i] = x.data()[at[0] + i * walk.steps()[0]];
  });
  return result;
}

/// Every pixel `factor` times in each direction.
template <class T>
[[nodiscard]] array<T> upsample_nearest(array<T> const& x, per_axis factor) {
  auto const in = detail::extents_of(x);
  detail::require_rank_4("upsample_nearest", in);
  if (factor.h == 0 || factor.w == 0) fail("upsample_nearest: by ", factor, "; pass factors of at least 1");
  auto const width = in[3] * factor.w;
  auto result = uninitialized<T>({in[0], in[1], in[2] * factor.h, width});
  detail::for_each_plane(in, [&](std::size_t plane) {
    for (auto row = plane * in[2]; row != (plane + 1) * in[2]; ++row) {
      auto* const to = result.data() + row * factor.h * width;
      for (std::size_t w = 0; w < width; ++w) to[w] = x.data()[row * in[3] + w / factor.w];
      for (std::size_t i = 1; i < factor.h; ++i) std::copy_n(to, width, to + i * width);
    }
  });
  return result;
}

/// The adjoint of `upsample_nearest`: the sums over the copies of each pixel.
template <class T>
[[nodiscard]] array<T> upsample_nearest_adjoint(array<T> const& gy, per_axis factor) {
  auto const out = detail::extents_of(gy);
  detail::require_rank_4("upsample_nearest_adjoint", out);
  auto result = filled<T>({out[0], out[1], out[2] / factor.h, out[3] / factor.w}, T{0});
  detail::for_each_plane(out, [&](std::size_t plane) {
    for (std::size_t h = 0; h < out[2]; ++h)
      for (std::size_t w = 0; w < out[3]; ++w)
        result.data()[(plane * out[2] + h) / factor.h * (out[3] / factor.w) + w / factor.w] +=
            gy.data()[(plane * out[2] + h) * out[3] + w];
  });
  return result;
}

}  // namespace lnpt::cpu
