#pragma once
/// A value with a tangent: forward-mode differentiation of whatever is written in `+`, `-`, `*` and a few functions.
#include <optional>
#include <type_traits>
#include <utility>

namespace lnpt {

/// `value + ε tangent`, ε² = 0. A missing tangent is a zero one and costs nothing.
template <class T>
struct dual {
  T value;
  std::optional<T> tangent;

  dual() = default;
  dual(T v) : value(std::move(v)) {}  // NOLINT(google-explicit-constructor): a constant
  dual(T v, std::optional<T> t) : value(std::move(v)), tangent(std::move(t)) {}

  friend dual operator+(dual const& a, dual const& b) {
    if (a.tangent && b.tangent) return {T(a.value + b.value), T(*a.tangent + *b.tangent)};
    return {T(a.value + b.value), a.tangent ? a.tangent : b.tangent};
  }
  friend dual operator-(dual const& a, dual const& b) { return a + (-1.0) * b; }
  friend dual operator*(dual const& a, dual const& b) {
    T const product(a.value * b.value);
    if (a.tangent && b.tangent) return {product, T(*a.tangent * b.value + a.value * *b.tangent)};
    if (a.tangent) return {product, T(*a.tangent * b.value)};
    if (b.tangent) return {product, T(a.value * *b.tangent)};
    return {product, std::nullopt};
  }
  friend dual operator*(double s, dual const& a) {
    return {T(s * a.value), a.tangent ? std::optional<T>(T(s * *a.tangent)) : std::nullopt};
  }
};

/// d (x + ε)^(−1/2) = −½ (x + ε)^(−3/2) ẋ
template <class Channels>
[[nodiscard]] dual<Channels> inverse_root(dual<Channels> const& x, double epsilon) {
  auto const value = inverse_root(x.value, epsilon);
  if (!x.tangent) return value;
  return {value, -0.5 * (value * value * value * *x.tangent)};
}

template <class>
inline constexpr bool is_dual = false;
template <class T>
inline constexpr bool is_dual<dual<T>> = true;

}  // namespace lnpt
