#pragma once
/// The distance between the penultimate feature maps of teacher and student: what LNPT scores with.
#include <numbers>

#include <lnpt/loss/feature_difference.hpp>

namespace lnpt {

/// The learning gap of one batch, summed over features. Xiao et al. 2024, arXiv:2403.12690, eq. (5).
///
///     L_m = 1/B Σ_b ‖m_t,b − m_b‖²,    ∂L_m/∂m = 2/B (m − m_t)
///
/// m, m_t: features [B, M] of student and teacher. Throws where their widths differ.
struct feature_gap {
  static constexpr loss_needs needs{.teacher = true, .features = true};

  template <class T>
  [[nodiscard]] double value(prediction<T> const& student, target<T> const& expected) const {
    T const gap = detail::feature_difference(student, expected, 1.0);
    return total(T(gap * gap)) / static_cast<double>(row_count(gap));
  }

  template <class V>
  [[nodiscard]] cotangents<V> cotangent(prediction<V> const& student, target<primal_t<V>> const& expected) const {
    V const gap = detail::feature_difference(student, expected, 1.0);
    return {std::nullopt, V((2.0 / static_cast<double>(row_count(gap))) * gap)};
  }

  /// S = √2 I, since ∂²‖m_t − m‖²/∂m² = 2 I.
  template <class T>
  [[nodiscard]] cotangents<T> curvature_probe(prediction<T> const&, T const& z) const {
    return {std::nullopt, T(std::numbers::sqrt2 * z)};
  }
};

}  // namespace lnpt
