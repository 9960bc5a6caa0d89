#pragma once
/// Results too large for the caches, written past them: memory that is overwritten whole need not be read first.
#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

#include <lnpt/backend/cpu/simd.hpp>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace lnpt::cpu {

/// Whether the target has stores past the caches that its compilers offer.
#if defined(__SSE2__)
inline constexpr bool stores_past_caches = true;
#else
inline constexpr bool stores_past_caches = false;
#endif

/// Whether a result of so many elements is written past the caches: more than a second cache holds, so that nobody would find it there.
template <class T>
[[nodiscard]] constexpr bool past_caches(std::size_t elements) {
  return stores_past_caches && elements * sizeof(T) >= std::size_t{2} << 20;
}

/// Whether a whole vector may be stored past the caches here.
template <class T>
[[nodiscard]] bool on_vector_boundary(T const* at) {
  return reinterpret_cast<std::uintptr_t>(at) % sizeof(vec<T>) == 0;
}

/// Stores a vector on its boundary past the caches, if the target can. `settle` comes before another thread reads it.
template <class T>
[[gnu::always_inline]] inline void store_past_caches(T* to, vec<T> const& v) {
#if defined(__SSE2__)
  if constexpr (sizeof(vec<T>) == 64)
    _mm512_stream_si512(reinterpret_cast<__m512i*>(to), std::bit_cast<__m512i>(v));
  else if constexpr (sizeof(vec<T>) == 32)
    _mm256_stream_si256(reinterpret_cast<__m256i*>(to), std::bit_cast<__m256i>(v));
  else
    _mm_stream_si128(reinterpret_cast<__m128i*>(to), std::bit_cast<__m128i>(v));
#else
  store(to, v);
#endif
}

/// Puts what was stored past the caches before everything that this thread stores from now on.
inline void settle() {
#if defined(__SSE2__)
  _mm_sfence();
#endif
}

namespace detail {

/// Copies to memory past the caches but for what lies before the first and behind the last boundary of vectors.
template <class T>
void copy_past_caches(T const* from, std::size_t n, T* to) {
  auto const misplaced = reinterpret_cast<std::uintptr_t>(to) % sizeof(vec<T>);
  auto i = misplaced == 0 ? 0 : std::min(n, (sizeof(vec<T>) - misplaced) / sizeof(T));
  std::copy_n(from, i, to);
  for (; i + lanes<T> <= n; i += lanes<T>) store_past_caches(to + i, load(from + i));
  std::copy_n(from + i, n - i, to + i);
}

}  // namespace detail

/// Writes the elements [begin, end) of a result of `size`: `fill(to, i, count)` computes those from i on, into place or, where they go past
/// the caches, into the first cache on their way.
template <class T, class Fill>
void write_result(T* result, std::size_t size, std::size_t begin, std::size_t end, Fill fill) {
  if (!past_caches<T>(size)) return fill(result + begin, begin, end - begin);
  constexpr std::size_t most = 4096 / sizeof(T);
  alignas(64) T piece[most];
  for (std::size_t count = 0; begin < end; begin += count) {
    count = std::min(most, end - begin);
    fill(piece, begin, count);
    detail::copy_past_caches(piece, count, result + begin);
  }
  settle();
}

}  // namespace lnpt::cpu
