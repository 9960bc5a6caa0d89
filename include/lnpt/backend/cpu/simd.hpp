#pragma once
/// Vectors of the target's native width, on the vector extension that GCC and Clang share.
#include <cstddef>
#include <cstring>
#include <type_traits>
#include <utility>

#include <Eigen/Core>

namespace lnpt::cpu {

/// Lanes of a native vector of `T` for the instruction set this is compiled for.
template <class T>
inline constexpr std::size_t lanes = static_cast<std::size_t>(Eigen::internal::packet_traits<T>::size);

/// A vector of `N` values of `T`; arithmetic and comparison work lane by lane.
template <class T, std::size_t N = lanes<T>>
struct vector_of {
  // NOLINTNEXTLINE(modernize-use-using): g++ takes the attribute with a template's N in a typedef only
  typedef T type __attribute__((vector_size(N * sizeof(T))));
};

template <class T, std::size_t N = lanes<T>>
using vec = typename vector_of<T, N>::type;

/// Loads from memory of any alignment.
template <class T, std::size_t N = lanes<T>>
[[nodiscard, gnu::always_inline]] inline vec<T, N> load(T const* from) {
  vec<T, N> v;
  std::memcpy(&v, from, sizeof v);
  return v;
}

/// Stores to memory of any alignment.
template <class T, std::size_t N = lanes<T>>
[[gnu::always_inline]] inline void store(T* to, vec<T, N> const& v) {
  std::memcpy(to, &v, sizeof v);
}

/// Calls `f` with the constants 0 … N−1, unrolled at any optimisation level, so that arrays indexed by them live in registers.
template <std::size_t N, class F>
[[gnu::always_inline]] inline void unrolled(F&& f) {
  [&]<std::size_t... I>(std::index_sequence<I...>)
      __attribute__((always_inline)) { (f(std::integral_constant<std::size_t, I>{}), ...); }(std::make_index_sequence<N>{});
}

}  // namespace lnpt::cpu
