#pragma once
/// Soft targets: the student learns the teacher's class probabilities.
#include <lnpt/loss/softmax.hpp>

namespace lnpt {

/// Knowledge distillation. Hinton, Vinyals, Dean 2015, arXiv:1503.02531.
///
///     L = −T²/B Σ_b Σ_k softmax(f_t,b / T)_k log softmax(f_b / T)_k
///
/// With `teacher_only` the temperature divides the teacher's logits alone and there is no T², as LNPT (9) prints it.
struct distillation {
  static constexpr loss_needs needs{.teacher = true};
  double temperature = 4.0;
  bool teacher_only = false;

  template <class T>
  [[nodiscard]] double value(prediction<T> const& student, target<T> const& expected) const {
    return weight() *
           detail::soft_cross_entropy(student.output, soft_targets(student.output, *expected.teacher), student_temperature());
  }

  template <class V>
  [[nodiscard]] cotangents<V> cotangent(prediction<V> const& student, target<primal_t<V>> const& expected) const {
    V const probabilities(soft_targets(detail::value_of(student.output), *expected.teacher));
    V const slope = detail::soft_cross_entropy_cotangent(student.output, probabilities, student_temperature());
    return {V(weight() * slope), std::nullopt};
  }

  template <class T>
  [[nodiscard]] cotangents<T> curvature_probe(prediction<T> const& student, T const& z) const {
    T const probe = detail::cross_entropy_probe(student.output, z, student_temperature());
    return {T((teacher_only ? 1.0 : temperature) * probe), std::nullopt};
  }

 private:
  [[nodiscard]] double student_temperature() const { return teacher_only ? 1.0 : temperature; }
  [[nodiscard]] double weight() const { return teacher_only ? 1.0 : temperature * temperature; }

  template <class T>
  [[nodiscard]] T soft_targets(T const& student, prediction<T> const& teacher) const {
    detail::check_same_shape("logits", student, teacher.output);
    return lnpt::exp(log_softmax(T((1.0 / temperature) * teacher.output)));
  }
};

}  // namespace lnpt
