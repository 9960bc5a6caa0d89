#pragma once
/// Cross-entropy with a temperature, against labels.
#include <lnpt/loss/concept.hpp>

namespace lnpt {

namespace detail {

/// −1/B Σ_b Σ_k p_bk log softmax(f_b/τ)_k for given class probabilities p.
template <class T>
[[nodiscard]] double soft_cross_entropy(T const& output, T const& probabilities, double temperature) {
  T const log_probabilities = log_softmax(T((1.0 / temperature) * output));
  return -total(T(probabilities * log_probabilities)) / static_cast<double>(row_count(output));
}

/// Its derivative (softmax(f/τ) − p) / (B τ), where each row of p sums to one.
template <class V>
[[nodiscard]] V soft_cross_entropy_cotangent(V const& output, V const& probabilities, double temperature) {
  V const predicted = lnpt::exp(log_softmax(V((1.0 / temperature) * output)));
  V const difference(predicted - probabilities);
  return V((1.0 / (static_cast<double>(row_count(output)) * temperature)) * difference);
}

/// S z for softmax cross-entropy: (√p ⊙ z − p ⟨√p, z⟩)/τ, since S = (diag √p − p √pᵀ)/τ.
template <class T>
[[nodiscard]] T cross_entropy_probe(T const& output, T const& z, double temperature) {
  T const log_p = log_softmax(T((1.0 / temperature) * output));
  T const root_z(lnpt::exp(T(0.5 * log_p)) * z);
  T const probabilities = lnpt::exp(log_p);
  T const centred(root_z - probabilities * row_sum(root_z));
  return T((1.0 / temperature) * centred);
}

}  // namespace detail

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
