#pragma once
/// The functions that losses are written in, over tensors; loss/dual_functions.hpp has them over duals of tensors.
///
/// A tensor type takes part by `a - b` and by static members of `tensor_traits`: `exp(t)`, `log_softmax(t)` over the last axis of [B, K],
/// `row_sum(t)` (each row's sum, repeated over the row), `one_hot(labels, like)`, `sum(t)` as a double, `argmax(t)` per row; and, where
/// labels are better not brought to the host, `one_hot_of_largest(t)`.
/// (Traits and not argument-dependent lookup: tensor libraries have functions of these names with other signatures.)
#include <cstdint>
#include <vector>

#include <lnpt/core/finite.hpp>
#include <lnpt/core/tensor.hpp>

namespace lnpt {

/// Tensors on which losses are computed where the tensors are, and can be differentiated through.
template <class T>
concept loss_tensor = tensor<T> && requires(T const& t, std::vector<std::int64_t> const& labels) {
  { t - t } -> std::convertible_to<T>;
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
/// The class that each row of logits [B, K] decides for, that of its largest value (a tie: the first). Throws where a logit is NaN or
/// infinite, since every comparison with it is as good as none.
template <tensor T>
[[nodiscard]] std::vector<std::int64_t> decided_classes(T const& logits) {
  detail::require_finite_values(values_of(logits), "the network's outputs", "they decide nothing",
                                "use finite weights and inputs, and where training made them so, lower its learning rate");
  return tensor_traits<T>::argmax(logits);
}

}  // namespace lnpt
