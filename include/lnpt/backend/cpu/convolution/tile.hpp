#pragma once
/// The inner product of all convolutions: a tile of sums that stays in registers.
#include <array>
#include <cstddef>

#include <lnpt/backend/cpu/simd.hpp>

namespace lnpt::cpu::detail {

/// The rows and vectors of a tile. The sums, one broadcast value and one row of vectors fill the 32, or 16, registers.
inline constexpr std::size_t tile_rows = EIGEN_ARCH_DEFAULT_NUMBER_OF_REGISTERS >= 32 ? 8 : 4;
inline constexpr std::size_t tile_vectors = 3;

template <class T, std::size_t Vectors, std::size_t Rows = tile_rows>
using tile = std::array<std::array<vec<T>, Vectors>, Rows>;

/// Σ_k a[k][row] · b_v[offset[k]…], for k below `depth`: `a` is packed by rows of a tile, of which the first `Rows` are used, every b_v
/// points at the first element of one vector, and `offset` says where that vector's successors lie.
template <class T, std::size_t Vectors, std::size_t Rows = tile_rows>
[[gnu::always_inline]] inline tile<T, Vectors, Rows> multiply(T const* a, std::array<T const*, Vectors> const& b,
                                                              std::ptrdiff_t const* offset, std::size_t depth) {
  vec<T> sum[Rows][Vectors] = {};
  for (std::size_t k = 0; k < depth; ++k, a += tile_rows) {
    vec<T> row[Vectors];
    unrolled<Vectors>([&](auto v) { row[v] = load(b[v] + offset[k]); });
    unrolled<Rows>([&](auto r) { unrolled<Vectors>([&](auto v) { sum[r][v] += a[r] * row[v]; }); });
  }
  tile<T, Vectors, Rows> result;
  unrolled<Rows>([&](auto r) { unrolled<Vectors>([&](auto v) { result[r][v] = sum[r][v]; }); });
  return result;
}

/// Calls `f` with the number of vectors of a tile, 1 to `tile_vectors`, as a constant.
template <class F>
void with_vectors(std::size_t count, F&& f) {
  if (count == 3)
    f(std::integral_constant<std::size_t, 3>{});
  else if (count == 2)
    f(std::integral_constant<std::size_t, 2>{});
  else
    f(std::integral_constant<std::size_t, 1>{});
}

}  // namespace lnpt::cpu::detail
