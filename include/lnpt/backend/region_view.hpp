#pragma once
/// Where a region lies in the whole, for backends of any storage.
#include <cstddef>
#include <utility>

#include <lnpt/core/error.hpp>
#include <lnpt/core/shape.hpp>
#include <lnpt/core/window.hpp>

namespace lnpt::detail {

/// A region of an array [C, N, H, W] or [N, F]: its shape, where it begins, and its strides in the whole.
struct region_view {
  shape extents, strides;
  std::size_t begin = 0;

  /// `strides_of_whole`: of the array as the backend stores it, in elements. Refuses an empty region, and rows or columns of a matrix.
  region_view(shape const& whole, shape strides_of_whole, image_region const& region)
      : extents(whole), strides(std::move(strides_of_whole)) {
    bool const images = whole.size() == 4;
    if (!images && (whole.size() != 2 || region.rows != index_range{} || region.columns != index_range{}))
      fail("slice: rows or columns of an array of shape ", list(whole), "; pass an image [C, N, H, W], or channels of [N, F]");
    take(images ? 0 : 1, region.channels, whole);
    if (!images) return;
    take(2, region.rows, whole);
    take(3, region.columns, whole);
  }

 private:
  void take(std::size_t axis, index_range const& range, shape const& whole) {
    auto const count = range.count(whole[axis]);
    if (count == 0)
      fail("slice: [", range.start, ", ", range.stop, ") with step ", range.step, " of an extent of ", whole[axis],
           " is empty; pass a range within it");
    extents[axis] = count;
    begin += range.start * strides[axis];
    strides[axis] *= range.step;
  }
};

}  // namespace lnpt::detail
