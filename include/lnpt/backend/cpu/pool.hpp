#pragma once
/// Pooling of images [C, N, H, W]: values, adjoints, and the tangent of a maximum.
#include <algorithm>
#include <cstdint>
#include <vector>

#include <lnpt/backend/cpu/array.hpp>
#include <lnpt/backend/cpu/layout.hpp>
#include <lnpt/backend/cpu/parallel.hpp>
#include <lnpt/core/error.hpp>

namespace lnpt::cpu {

/// A square pooling window, as PyTorch means it: padding never wins a maximum.
struct pool_window {
  std::size_t kernel;
  std::size_t stride;
  std::size_t padding = 0;

  [[nodiscard]] std::size_t out(std::size_t extent) const { return (extent + 2 * padding - kernel) / stride + 1; }

  /// The shape after pooling; refuses a window that does not fit.
  [[nodiscard]] shape out_shape(shape const& x) const {
    detail::require_rank_4("pool", x);
    if (kernel == 0 || stride == 0 || 2 * padding > kernel || x[2] + 2 * padding < kernel || x[3] + 2 * padding < kernel)
      fail("pool: a window of ", kernel, " with stride ", stride, " and padding ", padding, " does not fit an image of shape ",
           list(x), "; pass a window no larger than the padded image, padded by half of it at most");
    return {x[0], x[1], out(x[2]), out(x[3])};
  }

  /// The part of the window at output position `o` that lies inside an extent.
  struct range {
    std::size_t begin, end;
  };
  [[nodiscard]] range inside(std::size_t o, std::size_t extent) const {
    auto const first = o * stride;
    return {first > padding ? first - padding : 0, std::min(extent, first + kernel - padding)};
  }
};

namespace detail {

/// Calls `f(plane)` for every (channel, sample), several planes to a task.
template <class F>
void for_each_plane(shape const& extents, F f) {
  auto const area = std::max<std::size_t>(1, extents[2] * extents[3]);
  for_chunks(extents[0] * extents[1], std::max<std::size_t>(1, streaming_grain / area), [&](std::size_t begin, std::size_t end) {
    for (auto plane = begin; plane != end; ++plane) f(plane);
  });
}

/// The output positions o < out whose window reads, with its k-th element, a position inside [0, in).
struct reading_outputs {
  std::size_t begin, end;

  reading_outputs(pool_window const& window, std::size_t k, std::size_t in, std::size_t out) {
    begin = std::min(out, k < window.padding ? (window.padding - k + window.stride - 1) / window.stride : 0);
    end = in + window.padding > k ? std::clamp((in + window.padding - k - 1) / window.stride + 1, begin, out) : begin;
  }
};

/// One row of maxima, and where in the plane they were: the first one wins, and a NaN beats everything, as in PyTorch.
template <class T>
void max_pool_row(pool_window const& window, T const* plane, shape const& in, shape const& out, std::size_t row, T* y,
                  std::uint32_t* indices) {
  auto const rows = window.inside(row, in[2]);
  for (std::size_t w = 0; w < out[3]; ++w) {
    indices[w] = static_cast<std::uint32_t>(rows.begin * in[3] + window.inside(w, in[3]).begin);
    y[w] = plane[indices[w]];
  }
  for (auto i = rows.begin; i != rows.end; ++i)
    for (std::size_t j = 0; j < window.kernel; ++j) {
      reading_outputs const reading(window, j, in[3], out[3]);
      auto from = i * in[3] + reading.begin * window.stride + j - window.padding;
      for (auto w = reading.begin; w < reading.end; ++w, from += window.stride) {
        auto const value = plane[from];
        bool const wins = value > y[w] || (value != value && y[w] == y[w]);
        y[w] = wins ? value : y[w];
        indices[w] = wins ? static_cast<std::uint32_t>(from) : indices[w];
      }
    }
}

/// The same for all rows of a plane under windows of 2 × 2 that need no padding: what nearly every network has.
template <class T>
void max_pool_pairs(pool_window const& window, T const* plane, shape const& in, shape const& out, T* y, std::uint32_t* indices) {
  for (std::size_t h = 0; h < out[2]; ++h)
    for (std::size_t w = 0; w < out[3]; ++w) {
      auto best = h * window.stride * in[3] + w * window.stride;
      for (auto const at : {best + 1, best + in[3], best + in[3] + 1}) {
        bool const wins = plane[at] > plane[best] || (plane[at] != plane[at] && plane[best] == plane[best]);
        best = wins ? at : best;
      }
      *y++ = plane[best];
      *indices++ = static_cast<std::uint32_t>(best);
    }
}

}  // namespace detail

/// The maximum of every window; `indices` receives, for every output, where in its plane (h·W + w) the maximum was.
template <class T>
[[nodiscard]] array<T> max_pool(array<T> const& x, std::size_t kernel, std::size_t stride, std::size_t padding,
                                std::vector<std::uint32_t>& indices) {
  pool_window const window{kernel, stride, padding};
  auto const in = detail::extents_of(x);
  auto const out = window.out_shape(in);
  auto y = uninitialized<T>(out);
  indices.resize(y.size());
  detail::for_each_plane(in, [&](std::size_t plane) {
    auto const* const from = x.data() + plane * in[2] * in[3];
    auto const o = plane * out[2] * out[3];
    if (kernel == 2 && padding == 0) return detail::max_pool_pairs(window, from, in, out, y.data() + o, indices.data() + o);
    for (std::size_t h = 0; h < out[2]; ++h)
      detail::max_pool_row(window, from, in, out, h, y.data() + o + h * out[3], indices.data() + o + h * out[3]);
  });
  return y;
}

/// The elements of x that `indices` selects: the tangent of `max_pool`.
template <class T>
[[nodiscard]] array<T> gather_pool(array<T> const& x, std::vector<std::uint32_t> const& indices, shape const& y_shape) {
  detail::require_rank_4("gather_pool", y_shape);
  if (indices.size() != element_count(y_shape))
    fail("gather_pool: ", indices.size(), " indices for outputs of shape ", list(y_shape), "; pass those of the same max_pool");
  auto y = uninitialized<T>(y_shape);
  auto const area = y_shape[2] * y_shape[3], from_area = x.shape()[2] * x.shape()[3];
  detail::for_each_plane(y_shape, [&](std::size_t plane) {
    auto const* const from = x.data() + plane * from_area;
    for (auto o = plane * area; o != (plane + 1) * area; ++o) y.data()[o] = from[indices[o]];
  });
  return y;
}

/// The adjoint of `gather_pool`: the reverse rule of `max_pool`.
template <class T>
[[nodiscard]] array<T> scatter_pool(array<T> const& gy, std::vector<std::uint32_t> const& indices, shape const& x_shape) {
  detail::require_rank_4("scatter_pool", x_shape);
  if (indices.size() != gy.size())
    fail("scatter_pool: ", indices.size(), " indices for gradients of shape ", list(gy.shape()),
         "; pass those of the same max_pool");
  auto gx = uninitialized<T>(x_shape);
  auto const area = gy.shape()[2] * gy.shape()[3], to_area = x_shape[2] * x_shape[3];
  detail::for_each_plane(x_shape, [&](std::size_t plane) {
    auto* const to = gx.data() + plane * to_area;
    std::fill_n(to, to_area, T{0});
    for (auto o = plane * area; o != (plane + 1) * area; ++o) to[indices[o]] += gy.data()[o];
  });
  return gx;
}

namespace detail {

/// Calls `f(in index, out index, weight)` for every element that an average of this plane reads.
template <class T, class F>
void for_each_averaged(pool_window const& window, shape const& in, shape const& out, std::size_t plane, bool count_include_pad,
                       F f) {
  auto const padded = [&](std::size_t o, std::size_t extent) {
    return std::min(window.kernel, extent + 2 * window.padding - o * window.stride);
  };
  for (std::size_t h = 0; h < out[2]; ++h)
    for (std::size_t w = 0; w < out[3]; ++w) {
      auto const rows = window.inside(h, in[2]), columns = window.inside(w, in[3]);
      auto const count =
          count_include_pad ? padded(h, in[2]) * padded(w, in[3]) : (rows.end - rows.begin) * (columns.end - columns.begin);
      auto const weight = T{1} / static_cast<T>(count);
      auto const o = (plane * out[2] + h) * out[3] + w;
      for (auto i = rows.begin; i != rows.end; ++i)
        for (auto j = columns.begin; j != columns.end; ++j) f((plane * in[2] + i) * in[3] + j, o, weight);
    }
}

}  // namespace detail

/// The mean of every window; padding counts as zeros unless `count_include_pad` is false.
template <class T>
[[nodiscard]] array<T> average_pool(array<T> const& x, std::size_t kernel, std::size_t stride, std::size_t padding,
                                    bool count_include_pad = true) {
  pool_window const window{kernel, stride, padding};
  auto const in = detail::extents_of(x);
  auto const out = window.out_shape(in);
  auto y = filled<T>(out, T{0});
  detail::for_each_plane(in, [&](std::size_t plane) {
    detail::for_each_averaged<T>(window, in, out, plane, count_include_pad,
                                 [&](std::size_t i, std::size_t o, T weight) { y.data()[o] += weight * x.data()[i]; });
  });
  return y;
}

/// The adjoint of `average_pool`.
template <class T>
[[nodiscard]] array<T> average_pool_adjoint(array<T> const& gy, std::size_t kernel, std::size_t stride, std::size_t padding,
                                            shape const& x_shape, bool count_include_pad = true) {
  pool_window const window{kernel, stride, padding};
  auto const out = window.out_shape(x_shape);
  if (out != detail::extents_of(gy))
    fail("average_pool_adjoint: gradients of shape ", list(gy.shape()), "; pass some of shape ", list(out),
         ", what this window makes of ", list(x_shape));
  auto gx = filled<T>(x_shape, T{0});
  detail::for_each_plane(x_shape, [&](std::size_t plane) {
    detail::for_each_averaged<T>(window, x_shape, out, plane, count_include_pad,
                                 [&](std::size_t i, std::size_t o, T weight) { gx.data()[i] += weight * gy.data()[o]; });
  });
  return gx;
}

/// The mean of every plane: [C, N, H, W] → [N, C].
template <class T>
[[nodiscard]] array<T> global_average_pool(array<T> const& x) {
  auto const in = detail::extents_of(x);
  detail::require_rank_4("global_average_pool", in);
  auto const area = in[2] * in[3];
  auto y = uninitialized<T>({in[1], in[0]});
  detail::for_each_plane(in, [&](std::size_t plane) {
    double total = 0;
    for (auto i = plane * area; i != (plane + 1) * area; ++i) total += static_cast<double>(x.data()[i]);
    y.data()[(plane % in[1]) * in[0] + plane / in[1]] = static_cast<T>(total / static_cast<double>(area));
  });
  return y;
}

/// The adjoint of `global_average_pool`: g[N, C] → [C, N, H, W].
template <class T>
[[nodiscard]] array<T> global_average_pool_adjoint(array<T> const& g, shape const& cnhw) {
  detail::require_rank_4("global_average_pool_adjoint", cnhw);
  if (g.size() != cnhw[0] * cnhw[1])
    fail("global_average_pool_adjoint: gradients of shape ", list(g.shape()), " for an image of shape ", list(cnhw), "; pass [",
         cnhw[1], ", ", cnhw[0], ']');
  auto const area = cnhw[2] * cnhw[3];
  auto gx = uninitialized<T>(cnhw);
  detail::for_each_plane(cnhw, [&](std::size_t plane) {
    auto const share = g.data()[(plane % cnhw[1]) * cnhw[0] + plane / cnhw[1]] / static_cast<T>(area);
    std::fill_n(gx.data() + plane * area, area, share);
  });
  return gx;
}

}  // namespace lnpt::cpu
