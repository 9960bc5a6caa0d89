#pragma once
/// Shapes: the extents of a tensor, slowest axis first.
#include <cstddef>
#include <vector>

namespace lnpt {

using shape = std::vector<std::size_t>;

/// The number of elements a shape holds; 1 for the empty shape of a scalar.
[[nodiscard]] constexpr std::size_t element_count(shape const& extents) {
  std::size_t count = 1;
  for (auto const extent : extents) count *= extent;
  return count;
}

}  // namespace lnpt
