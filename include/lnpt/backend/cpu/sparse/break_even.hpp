#pragma once
/// The density below which products by kept weights cost less than dense ones.
#include <cstddef>

#include <lnpt/backend/cpu/simd.hpp>
#include <lnpt/core/shape.hpp>

namespace lnpt::cpu::sparse {

/// The break-even density of a parameter [O, C/groups, kh, kw] or [O, F], for a training step and for a forward pass; 0 for depthwise
/// convolutions, which are sparse as they are.
///
/// A rule fitted on measured layers (bench/sparse.cpp, bench/NOTES.md), the least of their break-even points and not their mean, so that no
/// layer is slower than dense. Wide vectors favour dense products, which do more arithmetic per load; and planes of many channels leave the
/// second cache. The rule knows the shape and the instruction set alone: the same choice, and the same bits, on every run. A choice by
/// stopwatch would not give that.
template <class T>
[[nodiscard]] constexpr double break_even_density(shape const& extents) {
  constexpr std::size_t crowded = 1024;  ///< planes of a block, beyond which they are read from the third cache
  constexpr bool wide = sizeof(vec<T>) >= 64;
  if (extents.size() == 4 && extents[1] == 1) return 0;
  auto const planes = extents.size() == 4 ? extents[1] * extents[3] : 1;
  bool const pointwise_or_linear = extents.size() == 2 || extents[2] * extents[3] == 1;
  if (planes >= crowded || (pointwise_or_linear && extents[1] >= crowded / 4)) return wide ? 0.15 : 0.25;
  return wide ? 0.25 : 0.3;
}

}  // namespace lnpt::cpu::sparse
