#pragma once
/// Elementwise passes over arrays, each one trip through memory.
#include <atomic>
#include <bit>
#include <concepts>
#include <cstdint>
#include <limits>
#include <type_traits>

#include <lnpt/backend/cpu/array.hpp>
#include <lnpt/backend/cpu/parallel.hpp>
#include <lnpt/backend/cpu/streaming.hpp>
#include <lnpt/core/error.hpp>

namespace lnpt::cpu {

namespace detail {

template <class T>
void require_same_size(char const* what, array<T> const& a, array<T> const& b) {
  if (a.size() != b.size())
    fail(what, ": arrays of shape ", list(a.shape()), " and ", list(b.shape()), " do not match; pass two of the same shape");
}

/// `out[i] = f(x[i]...)` for every element; `out` may be one of the inputs.
template <class T, class F, class... Inputs>
void transform(T* out, std::size_t n, F f, Inputs const*... x) {
  for_chunks(n, streaming_grain, [&](std::size_t begin, std::size_t end) {
    write_result(out, n, begin, end, [&](T* to, std::size_t first, std::size_t count) {
      for (std::size_t i = 0; i != count; ++i) to[i] = f(x[first + i]...);
    });
  });
}

template <class T, class F, class... Inputs>
[[nodiscard]] array<T> transformed(F f, array<T> const& x, Inputs const&... more) {
  auto result = array<T>::from_shape(x.shape());
  transform(result.data(), x.size(), f, x.data(), more.data()...);
  return result;
}

/// Whether every element has a sign bit of 0; −0 and negative NaNs have 1.
template <class T>
[[nodiscard]] bool nonnegative(array<T> const& x) {
  using bits = std::conditional_t<sizeof(T) == sizeof(std::uint32_t), std::uint32_t, std::uint64_t>;
  std::atomic<bool> negative = false;
  for_chunks(x.size(), streaming_grain, [&](std::size_t begin, std::size_t end) {
    if (negative.load(std::memory_order_relaxed)) return;
    bits seen = 0;
    for (auto i = begin; i < end; ++i) seen |= std::bit_cast<bits>(x.data()[i]);
    if (seen >> (std::numeric_limits<bits>::digits - 1)) negative.store(true, std::memory_order_relaxed);
  });
  return !negative;
}

/// max(0, x), except that a NaN stays one: a network that has diverged must not look healthy.
template <class T>
[[nodiscard]] constexpr T rectified(T x) {
  return x <= T{0} ? T{0} : x;
}

}  // namespace detail

/// x + y, or max(0, x + y).
template <class T>
[[nodiscard]] array<T> add(array<T> const& x, array<T> const& y, bool rectify = false) {
  detail::require_same_size("add", x, y);
  if (rectify) return detail::transformed([](T a, T b) { return detail::rectified(a + b); }, x, y);
  return detail::transformed([](T a, T b) { return a + b; }, x, y);
}

/// max(0, x).
template <class T>
[[nodiscard]] array<T> relu(array<T> const& x) {
  return detail::transformed([](T a) { return detail::rectified(a); }, x);
}

/// g where z > 0, else 0: the derivative of `relu` at z, or at its output, applied to g.
template <class T>
[[nodiscard]] array<T> gate(array<T> const& z, array<T> const& g) {
  detail::require_same_size("gate", z, g);
  return detail::transformed([](T open, T a) { return open > T{0} ? a : T{0}; }, z, g);
}

/// factor · x.
template <class T>
[[nodiscard]] array<T> scale(array<T> const& x, T factor) {
  return detail::transformed([factor](T a) { return factor * a; }, x);
}

/// factor · x + offset.
template <class T>
[[nodiscard]] array<T> affine(array<T> const& x, T factor, T offset) {
  return detail::transformed([factor, offset](T a) { return factor * a + offset; }, x);
}

/// x ⊙ y.
template <class T>
[[nodiscard]] array<T> multiply(array<T> const& x, array<T> const& y) {
  detail::require_same_size("multiply", x, y);
  return detail::transformed([](T a, T b) { return a * b; }, x, y);
}

}  // namespace lnpt::cpu
