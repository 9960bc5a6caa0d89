#pragma once
/// The functions of loss/functions.hpp over duals of tensors, by which a cotangent is differentiated once more.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include <lnpt/autodiff/dual.hpp>
#include <lnpt/loss/functions.hpp>

namespace lnpt {

template <loss_tensor T>
[[nodiscard]] dual<T> exp(dual<T> const& x) {
  T const value = lnpt::exp(x.value);
  return {value, x.tangent ? std::optional<T>(T(value * *x.tangent)) : std::nullopt};
}
/// d log softmax(x) = ẋ − Σ_k softmax(x)_k ẋ_k
template <loss_tensor T>
[[nodiscard]] dual<T> log_softmax(dual<T> const& x) {
  T const value = lnpt::log_softmax(x.value);
  if (!x.tangent) return {value, std::nullopt};
  T const weighted(lnpt::exp(value) * *x.tangent);
  return {value, T(*x.tangent + (-1.0) * row_sum(weighted))};
}
template <loss_tensor T>
[[nodiscard]] dual<T> row_sum(dual<T> const& x) {
  return {row_sum(x.value), x.tangent ? std::optional<T>(row_sum(*x.tangent)) : std::nullopt};
}
template <loss_tensor T>
[[nodiscard]] dual<T> one_hot(std::vector<std::int64_t> const& labels, dual<T> const& like) {
  return {one_hot(labels, like.value), std::nullopt};
}

template <class V>
struct primal {
  using type = V;
};
template <class T>
struct primal<dual<T>> {
  using type = T;
};
/// The tensor type beneath `V`: itself, or what a dual is made of.
template <class V>
using primal_t = typename primal<V>::type;

/// The number of rows of [B, K].
template <class V>
[[nodiscard]] std::size_t row_count(V const& x) {
  if constexpr (is_dual<V>)
    return shape_of(x.value).at(0);
  else
    return shape_of(x).at(0);
}

}  // namespace lnpt
