#pragma once
/// The inner products of sparse layers: sums of planes times kept weights, and dot products of planes.
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include <lnpt/backend/cpu/simd.hpp>
#include <lnpt/backend/cpu/transpose.hpp>

namespace lnpt::cpu::sparse {

/// A kept weight and where the plane that it multiplies begins, counted from a common base.
template <class T>
struct entry {
  std::uint32_t offset;
  T weight;
};

/// Vectors of sums that stay in registers.
inline constexpr std::size_t tile_vectors = EIGEN_ARCH_DEFAULT_NUMBER_OF_REGISTERS >= 32 ? 16 : 8;

namespace detail {

/// sum[v] = Σ over the entries, in their order, of weight · plane[v].
template <class T, std::size_t N, std::size_t Count, class Put>
[[gnu::always_inline]] inline void sum_planes(T const* base, entry<T> const* first, entry<T> const* last, Put put) {
  vec<T, N> sum[Count] = {};
  for (; first != last; ++first) {
    auto const* const plane = base + first->offset;
    auto const weight = first->weight;
    unrolled<Count>([&](auto v) { sum[v] += weight * load<T, N>(plane + v * N); });
  }
  unrolled<Count>([&](auto v) { put(v * N, sum[v]); });
}

/// Calls `f(constant Count, begin)` for runs of vectors that cover `count` of them: as many whole tiles as fit, then powers of two.
template <std::size_t Count, class F>
[[gnu::always_inline]] inline void in_tiles(std::size_t begin, std::size_t count, F f) {
  for (; begin + Count <= count; begin += Count) f(std::integral_constant<std::size_t, Count>{}, begin);
  if constexpr (Count > 1) in_tiles<Count / 2>(begin, count, f);
}

/// The lanes of a vector, its upper half added to its lower half until `Left` are left.
template <class T, std::size_t Left, std::size_t N = lanes<T>>
[[nodiscard, gnu::always_inline]] inline vec<T, Left> fold(vec<T, N> const& v) {
  if constexpr (N == Left) {
    return v;
  } else {
    auto const [lower, upper] = [&]<std::size_t... I>(std::index_sequence<I...>) {
      return std::pair{__builtin_shufflevector(v, v, I...), __builtin_shufflevector(v, v, (N / 2 + I)...)};
    }(std::make_index_sequence<N / 2>{});
    return fold<T, Left, N / 2>(lower + upper);
  }
}

/// Of every 2·Span lanes, the halves of `a` added up and those of `b` behind them.
template <class T, std::size_t Span>
[[nodiscard, gnu::always_inline]] inline vec<T> add_neighbours(vec<T> a, vec<T> b) {
  cpu::detail::exchange<Span, T, lanes<T>>(a, b, std::make_index_sequence<lanes<T>>{});
  return a + b;
}

/// sums[i] += Σ_p g[p]·plane_i[p] for `Count` planes and p < length, a multiple of the lanes: lane by lane over even and over odd vectors,
/// then the lanes.
template <class T, std::size_t Count>
[[gnu::always_inline]] inline void dot_planes(T const* g, std::array<T const*, Count> const& planes, std::size_t length,
                                              T* sums) {
  vec<T> even[Count] = {};
  vec<T> odd[Count] = {};
  std::size_t p = 0;
  for (; p + 2 * lanes<T> <= length; p += 2 * lanes<T>) {
    auto const first = load(g + p);
    auto const second = load(g + p + lanes<T>);
    unrolled<Count>([&](auto i) {
      even[i] += first * load(planes[i] + p);
      odd[i] += second * load(planes[i] + p + lanes<T>);
    });
  }
  if (p < length) {
    auto const first = load(g + p);
    unrolled<Count>([&](auto i) { even[i] += first * load(planes[i] + p); });
  }
  if constexpr (Count == 4 && lanes<T> >= 4) {
    // Four totals in one vector: lanes are added to their neighbours, then pairs, then groups of four.
    vec<T> sum[4];
    unrolled<4>([&](auto i) { sum[i] = even[i] + odd[i]; });
    vec<T, 4> const four =
        fold<T, 4>(add_neighbours<T, 2>(add_neighbours<T, 1>(sum[0], sum[1]), add_neighbours<T, 1>(sum[2], sum[3])));
    store<T, 4>(sums, load<T, 4>(sums) + four);
  } else {
    unrolled<Count>([&](auto i) { sums[i] += fold<T, 1>(even[i] + odd[i])[0]; });
  }
}

}  // namespace detail
}  // namespace lnpt::cpu::sparse
