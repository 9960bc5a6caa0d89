#pragma once
/// Cross-entropy against the teacher's most likely class: no label is read.
#include <lnpt/loss/cross_entropy.hpp>

namespace lnpt {

/// LNPT's L_oh: the teacher's decision takes the place of the label. Xiao et al. 2024, arXiv:2403.12690, eq. (10).
///
///     L = −1/B Σ_b log softmax(f_b / τ)[argmax_k f_t,bk]        (a tie goes to the lowest class)
///
/// f, f_t: student and teacher logits [B, K].
struct pseudo_label {
  static constexpr loss_needs needs{.teacher = true};
  double temperature = 1.0;

  template <class T>
  [[nodiscard]] double value(prediction<T> const& student, target<T> const& expected) const {
    return detail::soft_cross_entropy(student.output, decisions(student.output, *expected.teacher), temperature);
  }

  template <class V>
  [[nodiscard]] cotangents<V> cotangent(prediction<V> const& student, target<primal_t<V>> const& expected) const {
    V const decided(decisions(detail::value_of(student.output), *expected.teacher));
    return {detail::soft_cross_entropy_cotangent(student.output, decided, temperature), std::nullopt};
  }

  template <class T>
  [[nodiscard]] cotangents<T> curvature_probe(prediction<T> const& student, T const& z) const {
    return cross_entropy{temperature}.curvature_probe(student, z);
  }

 private:
  /// Where the tensors are: a training step on a device does not wait for the host. A NaN of the teacher's, which decides nothing, makes
  /// its row NaN.
  template <class T>
  [[nodiscard]] static T decisions(T const& student, prediction<T> const& teacher) {
    detail::check_same_shape("logits", student, teacher.output);
    T const probabilities = lnpt::exp(log_softmax(teacher.output));
    return T(one_hot_of_largest(teacher.output) + 0.0 * row_sum(probabilities));
  }
};

}  // namespace lnpt
