#pragma once
/// Losses added up: `pseudo_label{} + 0.5 * feature_mse{}`.
#include <type_traits>
#include <utility>

#include <lnpt/loss/concept.hpp>

namespace lnpt {

/// weight · L
template <class Loss>
struct weighted {
  double weight;
  Loss loss;
};

/// L = w₁ L₁ + w₂ L₂, as LNPT's L_total = L_oh + α L_mse. Xiao et al. 2024, arXiv:2403.12690, eq. (12).
///
/// A term of weight 0 is not evaluated: pseudo_label{} + 0.0 * feature_mse{} takes a student whose feature map is narrower than the
/// teacher's.
template <class First, class Second>
struct weighted_sum {
  static constexpr loss_needs needs = First::needs | Second::needs;
  weighted<First> first;
  weighted<Second> second;

  template <class T>
  [[nodiscard]] double value(prediction<T> const& student, target<T> const& expected) const {
    auto const term = [&](auto const& each) { return each.weight == 0 ? 0.0 : each.weight * each.loss.value(student, expected); };
    return term(first) + term(second);
  }

  template <class V>
  [[nodiscard]] cotangents<V> cotangent(prediction<V> const& student, target<primal_t<V>> const& expected) const {
    auto const slope = [&](auto const& each) {
      return each.weight == 0 ? cotangents<V>{} : each.loss.cotangent(student, expected);
    };
    auto const a = slope(first);
    auto const b = slope(second);
    return {combined(a.output, b.output), combined(a.features, b.features)};
  }

 private:
  template <class V>
  [[nodiscard]] std::optional<V> combined(std::optional<V> const& a, std::optional<V> const& b) const {
    if (a && b) return V(first.weight * *a + second.weight * *b);
    if (a) return V(first.weight * *a);
    if (b) return V(second.weight * *b);
    return std::nullopt;
  }
};

/// A type that declares what it needs as a loss does.
template <class L>
concept loss_like = requires {
  { L::needs } -> std::convertible_to<loss_needs>;
};

// The default argument keeps clang from trying this on plain numbers before it looks at the concept.
// NOLINTBEGIN(modernize-use-constraints)
template <loss_like L, class = std::enable_if_t<std::is_class_v<L>>>
[[nodiscard]] weighted<L> operator*(double weight, L loss) {
  return {weight, std::move(loss)};
}
template <loss_like A, loss_like B, class = std::enable_if_t<std::is_class_v<A>>>
[[nodiscard]] weighted_sum<A, B> operator+(A a, B b) {
  return {{1.0, std::move(a)}, {1.0, std::move(b)}};
}
// NOLINTEND(modernize-use-constraints)
template <loss_like A, class B>
[[nodiscard]] weighted_sum<A, B> operator+(A a, weighted<B> b) {
  return {{1.0, std::move(a)}, std::move(b)};
}
template <class A, class B>
[[nodiscard]] weighted_sum<A, B> operator+(weighted<A> a, weighted<B> b) {
  return {std::move(a), std::move(b)};
}

}  // namespace lnpt
