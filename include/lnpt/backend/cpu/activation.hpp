#pragma once
/// Activation functions over whole arrays: values, and products with the first and the second derivative.
#include <algorithm>
#include <array>
#include <cstddef>

#include <lnpt/backend/cpu/activation_rules.hpp>
#include <lnpt/backend/cpu/elementwise.hpp>
#include <lnpt/backend/power_of_two.hpp>

namespace lnpt::cpu {

namespace detail {

inline constexpr std::size_t activation_block = 512;  // of numbers that stay in the first cache

/// Calls `f(i, x_i, what the rule prepared for it)` for every element, block by block in parallel.
template <class T, class Rule, class F>
void for_each_prepared(Rule const& rule, array<T> const& x, F f) {
  for_chunks(x.size(), streaming_grain, [&](std::size_t begin, std::size_t end) {
    std::array<T, activation_block> prepared{};
    for (auto at = begin; at < end; at += activation_block) {
      auto const n = std::min(activation_block, end - at);
      auto const* const values = x.data() + at;
      rule.prepare(values, prepared.data(), n);
      for (std::size_t i = 0; i < n; ++i) f(at + i, values[i], prepared[i]);
    }
  });
}

/// The same for factor·x_i, computed in double.
template <class T, class Rule, class F>
void for_each_prepared(Rule const& rule, array<T> const& x, double factor, F f) {
  for_chunks(x.size(), activation_block, [&](std::size_t begin, std::size_t end) {
    std::array<double, activation_block> values{};
    std::array<double, activation_block> prepared{};
    for (auto i = begin; i < end; ++i) values[i - begin] = factor * static_cast<double>(x.data()[i]);
    rule.prepare(values.data(), prepared.data(), end - begin);
    for (auto i = begin; i < end; ++i) f(i, values[i - begin], prepared[i - begin]);
  });
}

}  // namespace detail

/// f(x).
template <class T>
[[nodiscard]] array<T> activate(array<T> const& x, activation_function const& f) {
  auto y = array<T>::from_shape(x.shape());
  detail::with_rule<T>(f, [&](auto const& rule) {
    detail::for_each_prepared(rule, x, [&, to = y.data()](std::size_t i, T v, T p) { to[i] = rule.value(v, p); });
  });
  return y;
}

/// g ⊙ f′(x): the reverse rule of f, and its tangent.
template <class T>
[[nodiscard]] array<T> activation_slope(array<T> const& x, array<T> const& g, activation_function const& f) {
  detail::require_same_size("activation_slope", x, g);
  auto y = array<T>::from_shape(x.shape());
  detail::with_rule<T>(f, [&](auto const& rule) {
    detail::for_each_prepared(
        rule, x, [&, from = g.data(), to = y.data()](std::size_t i, T v, T p) { to[i] = from[i] * rule.slope(v, p); });
  });
  return y;
}

/// g ⊙ f″(x) ⊙ v: what the tangent v of x does to the reverse rule.
template <class T>
[[nodiscard]] array<T> activation_curvature(array<T> const& x, array<T> const& g, array<T> const& v,
                                            activation_function const& f) {
  detail::require_same_size("activation_curvature", x, g);
  detail::require_same_size("activation_curvature", x, v);
  auto y = array<T>::from_shape(x.shape());
  detail::with_rule<T>(f, [&](auto const& rule) {
    detail::for_each_prepared(rule, x, [&, a = g.data(), b = v.data(), to = y.data()](std::size_t i, T at, T p) {
      to[i] = a[i] * b[i] * rule.curvature(at, p);
    });
  });
  return y;
}

/// f(x·2^exponent)/2^result, computed in double.
template <class T>
[[nodiscard]] array<T> activate_scaled(array<T> const& x, int exponent, activation_function const& f, int result) {
  auto y = array<T>::from_shape(x.shape());
  auto const back = 1 / lnpt::detail::power_of_two(result);
  detail::with_rule<double>(f, [&](auto const& rule) {
    detail::for_each_prepared(
        rule, x, lnpt::detail::power_of_two(exponent),
        [&, to = y.data()](std::size_t i, double v, double p) { to[i] = static_cast<T>(back * rule.value(v, p)); });
  });
  return y;
}

/// g ⊙ f′(x·2^exponent), computed in double.
template <class T>
[[nodiscard]] array<T> activation_slope_scaled(array<T> const& x, int exponent, array<T> const& g, activation_function const& f) {
  detail::require_same_size("activation_slope_scaled", x, g);
  auto y = array<T>::from_shape(x.shape());
  detail::with_rule<double>(f, [&](auto const& rule) {
    detail::for_each_prepared(rule, x, lnpt::detail::power_of_two(exponent),
                              [&, from = g.data(), to = y.data()](std::size_t i, double v, double p) {
                                to[i] = static_cast<T>(static_cast<double>(from[i]) * rule.slope(v, p));
                              });
  });
  return y;
}

}  // namespace lnpt::cpu
