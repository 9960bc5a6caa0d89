#pragma once
/// Pooling of images [C, N, H, W]: values, adjoints, and the tangent of a maximum.
#include <algorithm>
#include <cstdint>
#include <vector>

#include <lnpt/backend/cpu/array.hpp>
#include <lnpt/backend/cpu/layout.hpp>
#include <lnpt/backend/cpu/parallel.hpp>
#include <lnpt/core/error.hpp>
#include <lnpt/core/window.hpp>

namespace lnpt::cpu {

/// A pooling window, as PyTorch means it: padding never wins a maximum.
struct pool_window {
  per_axis kernel;
  per_axis stride;
  margins padding = 0;
  bool ceil_mode = false;         ///< whether a last window may reach beyond the margin, if it begins before it
  bool count_include_pad = true;  ///< whether the margin counts in averages, as zeros

  [[nodiscard]] window_axis vertical() const { return {kernel.h, stride.h, padding.top, padding.bottom}; }
  [[nodiscard]] window_axis horizontal() const { return {kernel.w, stride.w, padding.left, padding.right}; }

  /// The shape after pooling; refuses a window that does not fit.
  [[nodiscard]] shape out_shape(shape const& x) const {
    detail::require_rank_4("pool", x);
    auto const fits = [](window_axis const& along, std::size_t extent) {
      return along.fits(extent) && 2 * std::max(along.before, along.after) <= along.kernel;
    };
    if (!fits(vertical(), x[2]) || !fits(horizontal(), x[3]))
      fail("pool: a window of ", kernel, " with stride ", stride, " and padding ", padding, " does not fit images of shape ",
           batch_text(x), "; pass a window no larger than the padded image, padded by half of it at most");
    return {x[0], x[1], out(vertical(), x[2]), out(horizontal(), x[3])};
  }

  /// The pixels of an extent that the window at position `o` covers.
  struct range {
    std::size_t begin, end;
    [[nodiscard]] std::size_t size() const { return end - begin; }
  };
  [[nodiscard]] static range inside(window_axis const& along, std::size_t o, std::size_t extent) {
    auto const first = o * along.stride;
    return {first > along.before ? first - along.before : 0, std::min(extent, first + along.kernel - along.before)};
  }
  /// How many pixels the mean of that window counts along one axis.
  [[nodiscard]] std::size_t counted(window_axis const& along, std::size_t o, std::size_t extent) const {
    if (!count_include_pad) return inside(along, o, extent).size();
    return std::min(along.kernel, extent + along.before + along.after - o * along.stride);
  }

 private:
  [[nodiscard]] std::size_t out(window_axis const& along, std::size_t extent) const {
    auto const whole = along.out(extent);
    // One more where the whole windows leave something over and the next begins before the margin behind the image.
    bool const over = (whole - 1) * along.stride + along.kernel < extent + along.before + along.after;
    return ceil_mode && over && whole * along.stride < extent + along.before ? whole + 1 : whole;
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

/// The output positions o < out whose window reads, with its k-th element, a pixel of an extent.
struct reading_outputs {
  std::size_t begin, end;

  reading_outputs(window_axis const& along, std::size_t k, std::size_t in, std::size_t out) {
    begin = std::min(out, k < along.before ? (along.before - k + along.stride - 1) / along.stride : 0);
    end = in + along.before > k ? std::clamp((in + along.before - k - 1) / along.stride + 1, begin, out) : begin;
  }
};

/// Calls `f(output in the row, pixel in the plane)` for every pixel that the windows of a row of outputs cover, in the order of PyTorch:
/// row by row, element by element.
template <class F>
void for_each_covered(pool_window const& window, shape const& in, shape const& out, std::size_t row, F f) {
  auto const across = window.horizontal();
  auto const rows = pool_window::inside(window.vertical(), row, in[2]);
  for (auto i = rows.begin; i != rows.end; ++i)
    for (std::size_t j = 0; j < across.kernel; ++j) {
      reading_outputs const reading(across, j, in[3], out[3]);
      auto const from = i * in[3] + j - across.before;  // may wrap below zero, and back
      for (auto w = reading.begin; w < reading.end; ++w) f(w, from + w * across.stride);
    }
}

/// One row of maxima, and where in the plane they were: the first one wins, and a NaN beats everything, as in PyTorch.
template <class T>
void max_pool_row(pool_window const& window, T const* plane, shape const& in, shape const& out, std::size_t row, T* y,
                  std::uint32_t* indices) {
  auto const rows = pool_window::inside(window.vertical(), row, in[2]);
  for (std::size_t w = 0; w < out[3]; ++w) {
    indices[w] = static_cast<std::uint32_t>(rows.begin * in[3] + pool_window::inside(window.horizontal(), w, in[3]).begin);
    y[w] = plane[indices[w]];
  }
  for_each_covered(window, in, out, row, [&](std::size_t w, std::size_t from) {
    auto const value = plane[from];
    bool const wins = value > y[w] || (value != value && y[w] == y[w]);
    y[w] = wins ? value : y[w];
    indices[w] = wins ? static_cast<std::uint32_t>(from) : indices[w];
  });
}

/// Whether all windows are 2 × 2 and lie within the image: what nearly every network has.
[[nodiscard]] inline bool of_whole_pairs(pool_window const& window, shape const& in, shape const& out) {
  return window.kernel == per_axis(2) && window.padding == margins(0) && (out[2] - 1) * window.stride.h + 2 <= in[2] &&
         (out[3] - 1) * window.stride.w + 2 <= in[3];
}

/// The same for all rows of a plane under such windows.
template <class T>
void max_pool_pairs(pool_window const& window, T const* plane, shape const& in, shape const& out, T* y, std::uint32_t* indices) {
  for (std::size_t h = 0; h < out[2]; ++h)
    for (std::size_t w = 0; w < out[3]; ++w) {
      auto best = h * window.stride.h * in[3] + w * window.stride.w;
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
[[nodiscard]] array<T> max_pool(array<T> const& x, pool_window const& window, std::vector<std::uint32_t>& indices) {
  auto const in = detail::extents_of(x);
  auto const out = window.out_shape(in);
  auto y = uninitialized<T>(out);
  indices.resize(y.size());
  bool const pairs = detail::of_whole_pairs(window, in, out);
  detail::for_each_plane(in, [&](std::size_t plane) {
    auto const* const from = x.data() + plane * in[2] * in[3];
    auto const o = plane * out[2] * out[3];
    if (pairs) return detail::max_pool_pairs(window, from, in, out, y.data() + o, indices.data() + o);
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
  auto const area = y_shape[2] * y_shape[3];
  auto const from_area = x.shape()[2] * x.shape()[3];
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
  auto const area = gy.shape()[2] * gy.shape()[3];
  auto const to_area = x_shape[2] * x_shape[3];
  detail::for_each_plane(x_shape, [&](std::size_t plane) {
    auto* const to = gx.data() + plane * to_area;
    std::fill_n(to, to_area, T{0});
    for (auto o = plane * area; o != (plane + 1) * area; ++o) to[indices[o]] += gy.data()[o];
  });
  return gx;
}

namespace detail {

/// What the sum of each window of a plane is divided by, by rows and by columns.
template <class T>
struct window_counts {
  std::vector<T> rows, columns;

  window_counts(pool_window const& window, shape const& in, shape const& out) {
    auto const count = [&](window_axis const& along, std::size_t o, std::size_t extent) {
      return static_cast<T>(window.counted(along, o, extent));
    };
    for (std::size_t h = 0; h < out[2]; ++h) rows.push_back(count(window.vertical(), h, in[2]));
    for (std::size_t w = 0; w < out[3]; ++w) columns.push_back(count(window.horizontal(), w, in[3]));
  }
};

}  // namespace detail

/// The mean of every window.
template <class T>
[[nodiscard]] array<T> average_pool(array<T> const& x, pool_window const& window) {
  auto const in = detail::extents_of(x);
  auto const out = window.out_shape(in);
  detail::window_counts<T> const count(window, in, out);
  auto y = filled<T>(out, T{0});
  detail::for_each_plane(in, [&](std::size_t plane) {
    auto const* const from = x.data() + plane * in[2] * in[3];
    for (std::size_t h = 0; h < out[2]; ++h) {
      auto* const to = y.data() + (plane * out[2] + h) * out[3];
      detail::for_each_covered(window, in, out, h, [&](std::size_t w, std::size_t at) { to[w] += from[at]; });
      for (std::size_t w = 0; w < out[3]; ++w) to[w] /= count.rows[h] * count.columns[w];
    }
  });
  return y;
}

/// The adjoint of `average_pool`.
template <class T>
[[nodiscard]] array<T> average_pool_adjoint(array<T> const& gy, pool_window const& window, shape const& x_shape) {
  auto const out = window.out_shape(x_shape);
  if (out != detail::extents_of(gy))
    fail("average_pool_adjoint: gradients of shape ", list(gy.shape()), "; pass some of shape ", list(out),
         ", what this window makes of ", list(x_shape));
  detail::window_counts<T> const count(window, x_shape, out);
  auto gx = filled<T>(x_shape, T{0});
  detail::for_each_plane(x_shape, [&](std::size_t plane) {
    auto* const to = gx.data() + plane * x_shape[2] * x_shape[3];
    scratch<T> shares(out[3]);
    for (std::size_t h = 0; h < out[2]; ++h) {
      auto const* const from = gy.data() + (plane * out[2] + h) * out[3];
      for (std::size_t w = 0; w < out[3]; ++w) shares[w] = from[w] / (count.rows[h] * count.columns[w]);
      detail::for_each_covered(window, x_shape, out, h, [&](std::size_t w, std::size_t at) { to[at] += shares[w]; });
    }
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
