#pragma once
/// Cross-entropy with a temperature, against labels.
#include <lnpt/loss/softmax.hpp>

namespace lnpt {

/// How unlikely the labels are under the student.
///
///     L = −1/B Σ_b log softmax(f_b / τ)[y_b],    ∂L/∂f = (softmax(f/τ) − onehot(y)) / (B τ)
///
/// f: logits [B, K]. GraSP (Wang et al., ICLR 2020) scores with τ = 200. Throws on a label outside [0, K).
struct cross_entropy {
  static constexpr loss_needs needs{.labels = true};
  double temperature = 1.0;

  template <class T>
  [[nodiscard]] double value(prediction<T> const& student, target<T> const& expected) const {
    detail::check_labels(*expected.labels, student.output);
    return detail::soft_cross_entropy(student.output, one_hot(*expected.labels, student.output), temperature);
  }

  template <class V>
  [[nodiscard]] cotangents<V> cotangent(prediction<V> const& student, target<primal_t<V>> const& expected) const {
    detail::check_labels(*expected.labels, detail::value_of(student.output));
    return {detail::soft_cross_entropy_cotangent(student.output, one_hot(*expected.labels, student.output), temperature),
            std::nullopt};
  }

  template <class T>
  [[nodiscard]] cotangents<T> curvature_probe(prediction<T> const& student, T const& z) const {
    return {detail::cross_entropy_probe(student.output, z, temperature), std::nullopt};
  }
};

}  // namespace lnpt
