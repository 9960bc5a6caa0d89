#pragma once
/// The mean squared distance of feature maps: what LNPT trains with.
#include <cmath>

#include <lnpt/loss/feature_difference.hpp>

namespace lnpt {

/// The training term of LNPT. Xiao et al. 2024, arXiv:2403.12690, eq. (11).
///
///     L = 1/(B M) Σ_bk (m_t,bk − m_bk / T)²,    ∂L/∂m = 2/(B M T) (m/T − m_t)
///
/// m, m_t: features [B, M]. As printed, T divides the student's map only.
struct feature_mse {
  static constexpr loss_needs needs{.teacher = true, .features = true};
  double temperature = 1.0;

  template <class T>
  [[nodiscard]] double value(prediction<T> const& student, target<T> const& expected) const {
    T const gap = detail::feature_difference(student, expected, temperature);
    return total(T(gap * gap)) / static_cast<double>(size_of(gap));
  }

  template <class V>
  [[nodiscard]] cotangents<V> cotangent(prediction<V> const& student, target<primal_t<V>> const& expected) const {
    V const gap = detail::feature_difference(student, expected, temperature);
    return {std::nullopt, V((2.0 / (elements(gap) * temperature)) * gap)};
  }

  template <class T>
  [[nodiscard]] cotangents<T> curvature_probe(prediction<T> const& student, T const& z) const {
    auto const width = elements(*student.features) / static_cast<double>(row_count(*student.features));
    return {std::nullopt, T((std::sqrt(2.0 / width) / temperature) * z)};
  }

 private:
  template <class V>
  [[nodiscard]] static double elements(V const& x) {
    return static_cast<double>(size_of(detail::value_of(x)));
  }
};

}  // namespace lnpt
