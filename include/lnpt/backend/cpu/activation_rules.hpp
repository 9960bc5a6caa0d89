#pragma once
/// Each activation function with its first and second derivative, on single numbers.
///
/// A rule prepares what is expensive for a block of numbers at once (an exponential, an error function) and then is arithmetic that a
/// compiler vectorises: `value`, `slope` and `curvature` take x and what was prepared for it.
#include <cmath>
#include <cstddef>
#include <numbers>

#include <Eigen/Core>

#include <lnpt/core/activation_function.hpp>
#include <lnpt/core/error.hpp>

namespace lnpt::cpu::detail {

/// out[i] = f(x[i]) for a block, `f` on Eigen's arrays, whose exponentials work on whole vectors; a NaN stays one.
template <class T, class F>
void map_block(T const* x, T* out, std::size_t n, F f) {
  using numbers = Eigen::Array<T, Eigen::Dynamic, 1>;
  auto const size = static_cast<Eigen::Index>(n);
  Eigen::Map<numbers>(out, size) = f(Eigen::Map<numbers const>(x, size));
  for (std::size_t i = 0; i < n; ++i) out[i] = x[i] == x[i] ? out[i] : x[i];
}

/// 1/(1 + e⁻ˣ).
template <class T>
void sigmoid_block(T const* x, T* out, std::size_t n) {
  map_block(x, out, n, [](auto const& v) { return (T{1} + (-v).exp()).inverse(); });
}

/// A rule that prepares nothing.
struct unprepared {
  template <class T>
  void prepare(T const*, T*, std::size_t) const {}
};

template <class T>
struct hardtanh_rule : unprepared {
  T low, high;
  T value(T x, T) const { return x < low ? low : x > high ? high : x; }
  T slope(T x, T) const { return x > low && x < high ? T{1} : T{0}; }
  T curvature(T, T) const { return T{0}; }
};

template <class T>
struct leaky_relu_rule : unprepared {
  T below;
  T value(T x, T) const {
    auto const scaled = below * x;  // in any case, which leaves no branch
    return x > T{0} ? x : scaled;
  }
  T slope(T x, T) const {
    auto const otherwise = below;
    return x > T{0} ? T{1} : otherwise;
  }
  T curvature(T, T) const { return T{0}; }
};

template <class T>
struct elu_rule {
  T below;
  void prepare(T const* x, T* minus_one, std::size_t n) const {
    map_block(x, minus_one, n, [](auto const& v) { return v.min(T{0}).expm1(); });
  }
  T value(T x, T minus_one) const { return x > T{0} ? x : below * minus_one; }
  T slope(T x, T minus_one) const { return x > T{0} ? T{1} : below * (minus_one + T{1}); }
  T curvature(T x, T minus_one) const { return x >= T{0} ? T{0} : below * (minus_one + T{1}); }
};

template <class T>
struct silu_rule {
  void prepare(T const* x, T* s, std::size_t n) const { sigmoid_block(x, s, n); }
  T value(T x, T s) const { return x * s; }
  T slope(T x, T s) const { return s * (T{1} + x * (T{1} - s)); }
  T curvature(T x, T s) const { return s * (T{1} - s) * (T{2} + x * (T{1} - T{2} * s)); }
};

template <class T>
struct sigmoid_rule {
  void prepare(T const* x, T* s, std::size_t n) const { sigmoid_block(x, s, n); }
  T value(T, T s) const { return s; }
  T slope(T, T s) const { return s * (T{1} - s); }
  T curvature(T, T s) const { return s * (T{1} - s) * (T{1} - T{2} * s); }
};

template <class T>
struct hardswish_rule : unprepared {
  T value(T x, T) const { return x <= T{-3} ? T{0} : x >= T{3} ? x : x * (x + T{3}) / T{6}; }
  T slope(T x, T) const { return x <= T{-3} ? T{0} : x >= T{3} ? T{1} : x / T{3} + T{0.5}; }
  T curvature(T x, T) const { return x > T{-3} && x < T{3} ? T{1} / T{3} : T{0}; }
};

template <class T>
struct hardsigmoid_rule : unprepared {
  T value(T x, T) const { return x <= T{-3} ? T{0} : x >= T{3} ? T{1} : (x + T{3}) / T{6}; }
  T slope(T x, T) const { return x > T{-3} && x < T{3} ? T{1} / T{6} : T{0}; }
  T curvature(T, T) const { return T{0}; }
};

/// With φ the normal density: (xΦ)′ = Φ + xφ, (xΦ)″ = (2 − x²) φ.
template <class T>
struct gelu_rule {
  void prepare(T const* x, T* distribution, std::size_t n) const {
    for (std::size_t i = 0; i < n; ++i) distribution[i] = T{0.5} * std::erfc(-x[i] * static_cast<T>(1 / std::numbers::sqrt2));
  }
  T value(T x, T distribution) const { return x * distribution; }
  T slope(T x, T distribution) const { return distribution + x * density(x); }
  T curvature(T x, T) const { return (T{2} - x * x) * density(x); }

 private:
  static T density(T x) { return static_cast<T>(std::numbers::inv_sqrtpi / std::numbers::sqrt2) * std::exp(T{-0.5} * x * x); }
};

/// With t = tanh u: y′ = ½(1 + t) + ½x t′, y″ = t′ + ½x t″, t′ = (1 − t²)u′, t″ = (1 − t²)u″ − 2t t′u′.
template <class T>
struct gelu_by_tanh_rule {
  void prepare(T const* x, T* t, std::size_t n) const {
    map_block(x, t, n, [](auto const& v) { return (root * v * (T{1} + cubic * v * v)).tanh(); });
  }
  T value(T x, T t) const { return T{0.5} * x * (T{1} + t); }
  T slope(T x, T t) const { return T{0.5} * (T{1} + t + x * first(x, t)); }
  T curvature(T x, T t) const {
    auto const second = (T{1} - t * t) * root * T{6} * cubic * x - T{2} * t * first(x, t) * inner(x);
    return first(x, t) + T{0.5} * x * second;
  }

 private:
  static constexpr T root = static_cast<T>(std::numbers::sqrt2 * std::numbers::inv_sqrtpi), cubic = static_cast<T>(0.044715);
  static T inner(T x) { return root * (T{1} + T{3} * cubic * x * x); }
  static T first(T x, T t) { return (T{1} - t * t) * inner(x); }
};

template <class T>
struct tanh_rule {
  void prepare(T const* x, T* t, std::size_t n) const {
    map_block(x, t, n, [](auto const& v) { return v.tanh(); });
  }
  T value(T, T t) const { return t; }
  T slope(T, T t) const { return T{1} - t * t; }
  T curvature(T, T t) const { return T{-2} * t * (T{1} - t * t); }
};

template <class T>
struct reciprocal_rule : unprepared {
  T value(T x, T) const { return T{1} / x; }
  T slope(T x, T) const { return T{-1} / (x * x); }
  T curvature(T x, T) const { return T{2} / (x * x * x); }
};

/// Calls `f` with the rule of a function.
template <class T, class F>
void with_rule(activation_function const& of, F f) {
  auto const first = static_cast<T>(of.first);
  auto const second = static_cast<T>(of.second);
  switch (of.kind) {
    case activation_kind::hardtanh:
      if (!(first < second)) fail("hardtanh between ", of.first, " and ", of.second, "; pass a lower bound below the upper");
      return f(hardtanh_rule<T>{{}, first, second});
    case activation_kind::leaky_relu: return f(leaky_relu_rule<T>{{}, first});
    case activation_kind::elu: return f(elu_rule<T>{first});
    case activation_kind::silu: return f(silu_rule<T>{});
    case activation_kind::sigmoid: return f(sigmoid_rule<T>{});
    case activation_kind::hardswish: return f(hardswish_rule<T>{});
    case activation_kind::hardsigmoid: return f(hardsigmoid_rule<T>{});
    case activation_kind::gelu: return f(gelu_rule<T>{});
    case activation_kind::gelu_by_tanh: return f(gelu_by_tanh_rule<T>{});
    case activation_kind::tanh: return f(tanh_rule<T>{});
    case activation_kind::reciprocal: return f(reciprocal_rule<T>{});
  }
}

}  // namespace lnpt::cpu::detail
