#pragma once
// The loss that docs/extend.md adds.
#include <lnpt/lnpt.hpp>

/// How far the student's logits are from the teacher's. Ba, Caruana, NeurIPS 2014, arXiv:1312.6184.
///
///     L = 1/2B Σ_b ‖f_b − f_t,b‖²,    ∂L/∂f = (f − f_t)/B
struct logit_distance {
  static constexpr lnpt::loss_needs needs{.teacher = true};

  template <class T>
  double value(lnpt::prediction<T> const& student, lnpt::target<T> const& expected) const {
    T const gap(student.output + -1.0 * expected.teacher->output);
    return 0.5 * lnpt::total(T(gap * gap)) / static_cast<double>(lnpt::row_count(gap));
  }
  /// Over tensors and over duals of tensors: H g differentiates this once more.
  template <class V>
  lnpt::cotangents<V> cotangent(lnpt::prediction<V> const& student, lnpt::target<lnpt::primal_t<V>> const& expected) const {
    V const gap(student.output - V(expected.teacher->output));
    return {V((1.0 / static_cast<double>(lnpt::row_count(gap))) * gap), std::nullopt};
  }
  /// Optional, for `obd` and other criteria with a Gauss–Newton curvature: S z of one sample, S Sᵀ = ∂²ℓ/∂f² = I.
  template <class T>
  lnpt::cotangents<T> curvature_probe(lnpt::prediction<T> const&, T const& z) const {
    return {z, std::nullopt};
  }
};
