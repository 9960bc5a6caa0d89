#pragma once
/// Scales of batch normalisation driven to two poles.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <vector>

#include <lnpt/regulariser/regulariser.hpp>

namespace lnpt {

/// Polarization of the scales γ of batch norm: few near 0 and the others away from it. Zhuang et al., NeurIPS 2020.
///
///     R = λ (t Σ |γ| − Σ |γ − α γ̄|),      γ̄ the mean over all layers, through which the gradient flows
///     ∂R/∂γ_k = λ (t sign γ_k − sign(γ_k − α γ̄) + α/n Σ_j sign(γ_j − α γ̄))
///
/// After every step γ is clamped to [0, 1]. Costs a copy of the scales to the host and back.
struct polarization {
  using is_regulariser = void;
  double lambda = 1e-4;
  double t = 1;
  double alpha = 1;

  /// R.
  template <class T>
  [[nodiscard]] double value(std::vector<parameter<T>> const& parameters) const {
    auto const all = scales_of(parameters);
    auto const middle = alpha * mean_of(all);
    double sum = 0;
    for (auto const each : all) sum += t * std::abs(each) - std::abs(each - middle);
    return lambda * sum;
  }

  template <class T>
  void require_use(std::vector<parameter<T>> const& parameters) const {
    detail::require_norm_scales(parameters, "polarization acts");
  }
  template <class T>
  void add_gradient(std::vector<parameter<T>> const& parameters, gradients<T>& g, double factor) const {
    auto const all = scales_of(parameters);
    if (all.empty()) return;
    auto const middle = alpha * mean_of(all);
    double sides = 0;
    for (auto const each : all) sides += detail::sign(each - middle);
    auto const through_mean = alpha * sides / static_cast<double>(all.size());
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      if (parameters[i].role != role::norm_scale || !g[i]) continue;
      auto scales = detail::doubles_of(*parameters[i].value);
      for (auto& each : scales) each = t * detail::sign(each) - detail::sign(each - middle) + through_mean;
      detail::add_scaled(g[i], factor * lambda, scales);
    }
  }

  template <class T>
  void project(std::vector<parameter<T>> const& parameters) const {
    for (auto const& p : parameters) {
      if (p.role != role::norm_scale) continue;
      auto scales = detail::doubles_of(*p.value);
      for (auto& each : scales) each = std::clamp(each, 0.0, 1.0);
      detail::assign_doubles(*p.value, scales);
    }
  }

 private:
  template <class T>
  [[nodiscard]] static std::vector<double> scales_of(std::vector<parameter<T>> const& parameters) {
    std::vector<double> all;
    for (auto const& p : parameters) {
      if (p.role != role::norm_scale) continue;
      auto const scales = detail::doubles_of(*p.value);
      all.insert(all.end(), scales.begin(), scales.end());
    }
    return all;
  }
  [[nodiscard]] static double mean_of(std::vector<double> const& all) {
    return std::accumulate(all.begin(), all.end(), 0.0) / static_cast<double>(all.size());
  }
};

}  // namespace lnpt
