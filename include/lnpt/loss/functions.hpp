#pragma once
/// The functions that losses are written in, over tensors and over duals of tensors.
///
/// A tensor type takes part by static members of `tensor_traits`: `exp(t)`, `log_softmax(t)` over the last axis of [B, K],
/// `row_sum(t)` (each row's sum, repeated over the row), `one_hot(labels, like)`, `sum(t)` as a double, `argmax(t)` per row; and, where
/// labels are better not brought to the host, `one_hot_of_largest(t)`.
/// (Traits and not argument-dependent lookup: tensor libraries have functions of these names with other signatures.)
#include <cstdint>
#include <optional>
#include <type_traits>
#include <vector>

#include <lnpt/autodiff/dual.hpp>
#include <lnpt/core/tensor.hpp>

namespace lnpt {

/// Tensors on which losses are computed where the tensors are, and can be differentiated through.
template <class T>
concept loss_tensor = tensor<T> && requires(T const& t, std::vector<std::int64_t> const& labels) {
  { tensor_traits<T>::exp(t) } -> std::convertible_to<T>;
  { tensor_traits<T>::log_softmax(t) } -> std::convertible_to<T>;
  { tensor_traits<T>::row_sum(t) } -> std::convertible_to<T>;
  { tensor_traits<T>::one_hot(labels, t) } -> std::convertible_to<T>;
  { tensor_traits<T>::sum(t) } -> std::convertible_to<double>;
  { tensor_traits<T>::argmax(t) } -> std::convertible_to<std::vector<std::int64_t>>;
};

template <loss_tensor T>
[[nodiscard]] T exp(T const& t) {
  return tensor_traits<T>::exp(t);
}
template <loss_tensor T>
[[nodiscard]] T log_softmax(T const& t) {
  return tensor_traits<T>::log_softmax(t);
}
template <loss_tensor T>
[[nodiscard]] T row_sum(T const& t) {
  return tensor_traits<T>::row_sum(t);
}
template <loss_tensor T>
[[nodiscard]] T one_hot(std::vector<std::int64_t> const& labels, T const& like) {
  return tensor_traits<T>::one_hot(labels, like);
}
/// 1 at the largest value of each row (a tie: the first), 0 elsewhere.
template <loss_tensor T>
[[nodiscard]] T one_hot_of_largest(T const& t) {
  if constexpr (requires { tensor_traits<T>::one_hot_of_largest(t); })
    return tensor_traits<T>::one_hot_of_largest(t);
  else
    return one_hot(tensor_traits<T>::argmax(t), t);
}
template <loss_tensor T>
[[nodiscard]] double total(T const& t) {
  return tensor_traits<T>::sum(t);
}

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
