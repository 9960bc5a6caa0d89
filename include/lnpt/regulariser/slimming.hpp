#pragma once
/// Sparse scales of batch normalisation.
#include <cstddef>
#include <span>
#include <vector>

#include <lnpt/regulariser/regulariser.hpp>

namespace lnpt {

/// Network slimming: L1 of the scales γ of batch norm. Liu et al., ICCV 2017, arXiv:1708.06519.
///
///     R = λ Σ |γ|,      ∂R/∂γ = λ sign γ
///
/// Costs a copy of the scales to the host and back.
struct slimming {
  using is_regulariser = void;
  double lambda = 1e-4;

  /// R.
  template <class T>
  [[nodiscard]] double value(std::vector<parameter<T>> const& parameters) const {
    double sum = 0;
    for (auto const& p : parameters)
      if (p.role == role::norm_scale)
        for (auto const scale : detail::doubles_of(*p.value)) sum += std::abs(scale);
    return lambda * sum;
  }

  template <class T>
  void require_use(std::vector<parameter<T>> const& parameters) const {
    detail::require_norm_scales(parameters, "slimming acts");
  }
  template <class T>
  void add_gradient(std::vector<parameter<T>> const& parameters, gradients<T>& g, double factor) const {
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      if (parameters[i].role != role::norm_scale || !g[i]) continue;
      auto scales = detail::doubles_of(*parameters[i].value);
      for (auto& each : scales) each = detail::sign(each);
      detail::add_scaled(g[i], factor * lambda, scales);
    }
  }
};

}  // namespace lnpt
