#pragma once
/// Transposition in registers: rows of memory become the lanes of vectors.
#include <cstddef>
#include <cstring>

#include <lnpt/backend/cpu/simd.hpp>

namespace lnpt::cpu::detail {

/// One of the log₂ N steps of a transposition: exchanges the off-diagonal halves of all blocks of 2·Span lanes.
template <std::size_t Span, class T, std::size_t N, std::size_t... Lane>
[[gnu::always_inline]] inline void exchange(vec<T, N>& a, vec<T, N>& b, std::index_sequence<Lane...>) {
  auto const upper = __builtin_shufflevector(a, b, ((Lane & Span) != 0 ? N + Lane - Span : Lane)...);
  b = __builtin_shufflevector(a, b, ((Lane & Span) != 0 ? N + Lane : Lane + Span)...);
  a = upper;
}

template <class T, std::size_t N, std::size_t Span = 1>
[[gnu::always_inline]] inline void transpose(vec<T, N> (&rows)[N]) {
  unrolled<N>([&](auto i) {
    if constexpr ((i & Span) == 0) exchange<Span, T, N>(rows[i], rows[i + Span], std::make_index_sequence<N>{});
  });
  if constexpr (2 * Span < N) transpose<T, N, 2 * Span>(rows);
}

/// Calls `f(i, v)` for every i < count, where lane r of v is `from[r·row_stride + i]`, or 0 from the lane `rows` on.
template <std::size_t N, class T, class F>
void for_each_column(T const* from, std::size_t row_stride, std::size_t rows, std::size_t count, F f) {
  std::size_t i = 0;
  for (; i + N <= count; i += N) {
    vec<T, N> block[N] = {};
    unrolled<N>([&](auto r) {
      if (r < rows) std::memcpy(&block[r], from + r * row_stride + i, sizeof block[r]);
    });
    transpose<T, N>(block);
    unrolled<N>([&](auto j) { f(i + j, block[j]); });
  }
  for (; i < count; ++i) {
    T column[N] = {};
    for (std::size_t r = 0; r < rows; ++r) column[r] = from[r * row_stride + i];
    vec<T, N> last;
    std::memcpy(&last, column, sizeof last);
    f(i, last);
  }
}

}  // namespace lnpt::cpu::detail
