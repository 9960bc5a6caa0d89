#pragma once
/// Activation functions with their first and second derivatives: the formulas of backend/cpu/activation_rules.hpp.

namespace lnpt::cudnn::detail {

/// Which of f, f′ and f″ is wanted; the numbers are those of the kernel, and so are those of `activation_kind`.
enum class derivative : int { value, slope, curvature };

inline constexpr char activation_kernels[] = R"cuda(
template <class R> struct derivatives { R value, slope, curvature; };

template <class R> __device__ derivatives<R> sigmoid_of(R x) {
  R const s = R(1) / (R(1) + exp(-x));
  return {s, s * (R(1) - s), s * (R(1) - s) * (R(1) - R(2) * s)};
}
template <class R> __device__ derivatives<R> gelu_of(R x) {
  R const distribution = R(0.5) * erfc(-x * R(0.70710678118654752440)), density = R(0.39894228040143267794) * exp(R(-0.5) * x * x);
  return {x * distribution, distribution + x * density, (R(2) - x * x) * density};
}
template <class R> __device__ derivatives<R> gelu_by_tanh_of(R x) {
  R const root = R(0.79788456080286535588), cubic = R(0.044715);
  R const t = tanh(root * x * (R(1) + cubic * x * x)), inner = root * (R(1) + R(3) * cubic * x * x), first = (R(1) - t * t) * inner;
  R const second = (R(1) - t * t) * root * R(6) * cubic * x - R(2) * t * first * inner;
  return {R(0.5) * x * (R(1) + t), R(0.5) * (R(1) + t + x * first), first + R(0.5) * x * second};
}

template <class R> __device__ derivatives<R> activation_at(int kind, R first, R second, R x) {
  switch (kind) {
    case 0: return {x < first ? first : x > second ? second : x, x > first && x < second ? R(1) : R(0), R(0)};
    case 1: return {x > R(0) ? x : first * x, x > R(0) ? R(1) : first, R(0)};
    case 2: {
      R const below = first * expm1(x < R(0) ? x : R(0));
      if (x > R(0)) return {x, R(1), R(0)};
      if (x == R(0)) return {x, first, R(0)};
      return {x != x ? x : below, x != x ? x : below + first, x != x ? x : below + first};
    }
    case 3: {
      R const s = sigmoid_of(x).value;
      return {x * s, s * (R(1) + x * (R(1) - s)), s * (R(1) - s) * (R(2) + x * (R(1) - R(2) * s))};
    }
    case 4: return sigmoid_of(x);
    case 5:
      return {x <= R(-3) ? R(0) : x >= R(3) ? x : x * (x + R(3)) / R(6), x <= R(-3) ? R(0) : x >= R(3) ? R(1) : x / R(3) + R(0.5),
              x > R(-3) && x < R(3) ? R(1) / R(3) : R(0)};
    case 6: return {x <= R(-3) ? R(0) : x >= R(3) ? R(1) : (x + R(3)) / R(6), x > R(-3) && x < R(3) ? R(1) / R(6) : R(0), R(0)};
    case 7: return gelu_of(x);
    case 8: return gelu_by_tanh_of(x);
    case 9: {
      R const t = tanh(x);
      return {t, R(1) - t * t, R(-2) * t * (R(1) - t * t)};
    }
    default: return {R(1) / x, R(-1) / (x * x), R(2) / (x * x * x)};
  }
}

// back · f(factor x), or with g: g f′(factor x), or with v too: g f″(factor x) v. Computed in R.
template <class T, class R>
__global__ void activation(int kind, R first, R second, int wanted, T const* x, R factor, T const* g, T const* v, R back, T* y, unsigned n) {
  ONE_THREAD_PER_ELEMENT;
  derivatives<R> const f = activation_at(kind, first, second, factor * (R)x[i]);
  y[i] = wanted == 0 ? (T)(back * f.value) : wanted == 1 ? (T)((R)g[i] * f.slope) : (T)((R)g[i] * (R)v[i] * f.curvature);
}
)cuda";

}  // namespace lnpt::cudnn::detail
