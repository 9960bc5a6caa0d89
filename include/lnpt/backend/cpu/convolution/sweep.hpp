#pragma once
/// A convolution and its adjoint, both as sweeps: a grid of destination pixels, each a sum over taps of the source at unit distance.
#include <algorithm>
#include <cstddef>
#include <vector>

#include <lnpt/backend/cpu/convolution/conv_geometry.hpp>

namespace lnpt::cpu::detail {

/// Every `stride`-th pixel of the source from (row, column): the pixels that one tap reads.
struct phase {
  std::size_t row, column;
  friend bool operator==(phase const&, phase const&) = default;
};

/// One element of the kernel: grid pixel (r, c) reads pixel (r + row, c + column) of a phase.
struct tap {
  std::size_t phase;
  std::ptrdiff_t row, column;
  std::size_t weight;  ///< its index in the kernel
};

/// Destination pixels (row0 + r·stride, column0 + c·stride) for r < rows, c < columns, and what they read.
struct sweep {
  std::size_t rows, columns;
  per_axis stride;
  std::size_t row0, column0;
  per_axis source_stride;
  std::vector<phase> phases;
  std::vector<tap> taps;
  std::ptrdiff_t first_row = 0, last_row = 0, first_column = 0, last_column = 0;  ///< the range of the taps

  void add(phase from, std::ptrdiff_t row, std::ptrdiff_t column, std::size_t weight) {
    auto found = std::find(phases.begin(), phases.end(), from);
    if (found == phases.end()) found = phases.insert(found, from);
    bool const first = taps.empty();
    taps.push_back({static_cast<std::size_t>(found - phases.begin()), row, column, weight});
    first_row = first ? row : std::min(first_row, row), last_row = first ? row : std::max(last_row, row);
    first_column = first ? column : std::min(first_column, column), last_column = first ? column : std::max(last_column, column);
  }

  /// The rows and columns by which a patch is larger than its grid.
  [[nodiscard]] std::size_t halo_rows() const { return static_cast<std::size_t>(last_row - first_row); }
  [[nodiscard]] std::size_t halo_columns() const { return static_cast<std::size_t>(last_column - first_column); }
  /// Whether the taps are the first elements of the kernel, one after the other.
  [[nodiscard]] bool taps_in_order() const {
    return std::ranges::all_of(taps, [&](auto const& t) { return t.weight == static_cast<std::size_t>(&t - taps.data()); });
  }
  [[nodiscard]] bool pointwise() const {
    return taps.size() == 1 && stride == per_axis(1) && source_stride == per_axis(1) && taps[0].row == 0 && taps[0].column == 0;
  }
};

/// The outputs of a convolution, each reading its patch of the input: strided convolutions read the phases of the input.
[[nodiscard]] inline sweep forward_sweep(conv_extents const& e) {
  auto const& g = e.geometry;
  sweep result{e.out_h, e.out_w, 1, 0, 0, g.stride, {}, {}};
  auto const split = [](window_axis const& along, std::size_t k) {  // of an offset, into whole strides and a phase
    auto const stride = static_cast<std::ptrdiff_t>(along.stride);
    auto const offset = static_cast<std::ptrdiff_t>(along.pixel(0, k));
    auto const rest = (offset % stride + stride) % stride;
    return std::pair{(offset - rest) / stride, static_cast<std::size_t>(rest)};
  };
  for (std::size_t i = 0; i < g.kernel.h; ++i)
    for (std::size_t j = 0; j < g.kernel.w; ++j) {
      auto const [row, phase_row] = split(g.vertical(), i);
      auto const [column, phase_column] = split(g.horizontal(), j);
      result.add({phase_row, phase_column}, row, column, i * g.kernel.w + j);
    }
  return result;
}

/// The inputs of a convolution, each reading the gradients of the outputs it went into: one sweep per phase of the input.
[[nodiscard]] inline std::vector<sweep> input_gradient_sweeps(conv_extents const& e) {
  auto const& g = e.geometry;
  auto const [down, across] = g.stride;
  // The output that reads pixel `at` by element k, in strides: whole where there is one.
  auto const offset = [](window_axis const& along, std::size_t at, std::size_t k) {
    return static_cast<std::ptrdiff_t>(at + along.before) - static_cast<std::ptrdiff_t>(k * along.dilation);
  };
  auto const row_stride = static_cast<std::ptrdiff_t>(down);
  auto const column_stride = static_cast<std::ptrdiff_t>(across);
  std::vector<sweep> result;
  for (std::size_t r = 0; r < std::min(down, e.h); ++r)
    for (std::size_t c = 0; c < std::min(across, e.w); ++c) {
      sweep one{(e.h - r + down - 1) / down, (e.w - c + across - 1) / across, g.stride, r, c, 1, {}, {}};
      for (std::size_t i = 0; i < g.kernel.h; ++i)
        for (std::size_t j = 0; j < g.kernel.w; ++j) {
          auto const row = offset(g.vertical(), r, i);
          auto const column = offset(g.horizontal(), c, j);
          if (row % row_stride == 0 && column % column_stride == 0)
            one.add({0, 0}, row / row_stride, column / column_stride, i * g.kernel.w + j);
        }
      result.push_back(std::move(one));
    }
  return result;
}

}  // namespace lnpt::cpu::detail
