#pragma once
/// Windows that slide over an image: what convolutions and pools have in common.
#include <compare>
#include <cstddef>
#include <ostream>

namespace lnpt {

/// One number for each axis of an image; a single number stands for both.
struct per_axis {
  std::size_t h, w;

  constexpr per_axis(std::size_t both) : h(both), w(both) {}  // NOLINT(google-explicit-constructor): as PyTorch's arguments
  constexpr per_axis(std::size_t along_rows, std::size_t along_columns) : h(along_rows), w(along_columns) {}

  friend constexpr auto operator<=>(per_axis const&, per_axis const&) = default;
  friend std::ostream& operator<<(std::ostream& out, per_axis const& p) { return out << p.h << "×" << p.w; }
};

/// Pixels around an image, on each of its sides.
struct margins {
  std::size_t top, left, bottom, right;

  constexpr margins(std::size_t all) : margins(all, all) {}  // NOLINT(google-explicit-constructor): as PyTorch's arguments
  constexpr margins(std::size_t vertical, std::size_t horizontal) : margins(vertical, horizontal, vertical, horizontal) {}
  constexpr margins(std::size_t t, std::size_t l, std::size_t b, std::size_t r) : top(t), left(l), bottom(b), right(r) {}

  [[nodiscard]] constexpr bool symmetric() const { return top == bottom && left == right; }

  friend constexpr auto operator<=>(margins const&, margins const&) = default;
  friend std::ostream& operator<<(std::ostream& out, margins const& m) {
    return out << '[' << m.top << ", " << m.left << ", " << m.bottom << ", " << m.right << ']';
  }
};

/// Every `step`-th index from `start` up to, but without, `stop`, as a slice in Python; an extent ends it earlier.
struct index_range {
  static constexpr auto to_the_end = static_cast<std::size_t>(-1);

  std::size_t start = 0;
  std::size_t stop = to_the_end;
  std::size_t step = 1;

  [[nodiscard]] constexpr std::size_t count(std::size_t extent) const {
    auto const end = stop < extent ? stop : extent;
    return step == 0 || start >= end ? 0 : (end - start + step - 1) / step;
  }
  friend constexpr bool operator==(index_range const&, index_range const&) = default;
};

/// Some channels, rows and columns of an image; of a feature matrix, some features as channels.
struct image_region {
  index_range channels = {}, rows = {}, columns = {};
  friend constexpr bool operator==(image_region const&, image_region const&) = default;
};

/// A window along one axis: element k at position o reads the pixel o·stride + k·dilation − before.
struct window_axis {
  std::size_t kernel, stride, before, after;
  std::size_t dilation = 1;

  /// From the first element of the window to its last.
  [[nodiscard]] constexpr std::size_t reach() const { return (kernel - 1) * dilation + 1; }
  [[nodiscard]] constexpr bool fits(std::size_t extent) const {
    return kernel != 0 && stride != 0 && dilation != 0 && extent + before + after >= reach();
  }
  /// The positions that the window has on an extent: none where it does not fit.
  [[nodiscard]] constexpr std::size_t out(std::size_t extent) const {
    return fits(extent) ? (extent + before + after - reach()) / stride + 1 : 0;
  }
  /// The pixel that an element reads; of the margin before the image it wraps below zero.
  [[nodiscard]] constexpr std::size_t pixel(std::size_t position, std::size_t element) const {
    return position * stride + element * dilation - before;
  }
};

}  // namespace lnpt
