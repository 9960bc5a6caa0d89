#pragma once
/// Shapes: the extents of a tensor, slowest axis first.
#include <algorithm>
#include <cstddef>
#include <vector>

#include <lnpt/core/error.hpp>

namespace lnpt {

using shape = std::vector<std::size_t>;

/// The number of elements a shape holds; 1 for the empty shape of a scalar.
[[nodiscard]] constexpr std::size_t element_count(shape const& extents) {
  std::size_t count = 1;
  for (auto const extent : extents) count *= extent;
  return count;
}

/// Whether two shapes differ by axes of extent 1 at most: arrays of them have the same elements in the same order.
[[nodiscard]] inline bool same_but_for_ones(shape a, shape b) {
  std::erase(a, std::size_t{1});
  std::erase(b, std::size_t{1});
  return a == b;
}

/// The shape of arithmetic between two arrays: along each axis their extents are equal, or one is 1 and is stretched.
[[nodiscard]] inline shape broadcast_shape(shape const& a, shape const& b) {
  auto const fits = [](std::size_t x, std::size_t y) { return x == y || x == 1 || y == 1; };
  if (a.size() != b.size() || !std::equal(a.begin(), a.end(), b.begin(), fits))
    fail("arrays of shape ", list(a), " and ", list(b), " do not match; pass extents that are equal or 1");
  shape result(a.size());
  std::transform(a.begin(), a.end(), b.begin(), result.begin(), [](std::size_t x, std::size_t y) { return x == 1 ? y : x; });
  return result;
}

}  // namespace lnpt
