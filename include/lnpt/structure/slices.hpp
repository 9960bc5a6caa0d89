#pragma once
/// Slices of row-major tensors along one axis: walking them, and keeping some.
#include <cstddef>
#include <span>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/core/shape.hpp>
#include <lnpt/core/tensor.hpp>

namespace lnpt::detail {

/// The axes before and behind one axis: a slice is `outer` runs of `inner` elements.
struct axis_layout {
  std::size_t outer = 1, extent = 1, inner = 1;

  axis_layout(shape const& extents, std::size_t axis) : extent(extents.at(axis)) {
    for (std::size_t a = 0; a < extents.size(); ++a) (a < axis ? outer : inner) *= a == axis ? 1 : extents[a];
  }

  /// Calls `visit(flat index)` for every element of slice `i`.
  template <class Visit>
  void for_each(std::size_t i, Visit&& visit) const {
    for (std::size_t o = 0; o < outer; ++o)
      for (std::size_t k = 0; k < inner; ++k) visit((o * extent + i) * inner + k);
  }
};

/// The slices `kept` of an axis, in that order.
template <class T>
[[nodiscard]] std::vector<T> narrowed(std::span<T const> values, shape const& extents, std::size_t axis,
                                      std::vector<std::size_t> const& kept) {
  axis_layout const layout(extents, axis);
  std::vector<T> result;
  result.reserve(layout.outer * kept.size() * layout.inner);
  for (std::size_t o = 0; o < layout.outer; ++o)
    for (auto const i : kept) {
      auto const from = values.begin() + static_cast<std::ptrdiff_t>((o * layout.extent + i) * layout.inner);
      result.insert(result.end(), from, from + static_cast<std::ptrdiff_t>(layout.inner));
    }
  return result;
}

}  // namespace lnpt::detail
