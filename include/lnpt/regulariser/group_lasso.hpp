#pragma once
/// Whole groups of weights at zero.
#include <cmath>
#include <cstddef>
#include <vector>

#include <lnpt/regulariser/regulariser.hpp>
#include <lnpt/regulariser/weight_groups.hpp>

namespace lnpt {

/// The group lasso over the prunable weights. Yuan, Lin, J. R. Statist. Soc. B 68, 2006; for networks Wen et al., NeurIPS 2016,
/// arXiv:1608.03665.
///
///     R = λ Σ_g √|g| ‖w_g‖,      ∂R/∂w = λ √|g| w / ‖w_g‖, and 0 where the group is zero
///
/// Costs a copy of the weights to the host and back.
struct group_lasso {
  using is_regulariser = void;
  double lambda = 1e-4;
  weight_group by = weight_group::output;

  /// R.
  template <class T>
  [[nodiscard]] double value(std::vector<parameter<T>> const& parameters) const {
    double sum = 0;
    for (auto const& p : parameters) {
      if (!is_prunable(p.role)) continue;
      detail::grouped_weights const groups(detail::doubles_of(*p.value), p, by);
      auto const root = std::sqrt(static_cast<double>(groups.size()));
      for (auto const norm : groups.norms()) sum += root * norm;
    }
    return lambda * sum;
  }

  template <class T>
  void require_use(std::vector<parameter<T>> const& parameters) const {
    detail::require_prunable_weights(parameters, "group_lasso");
  }
  template <class T>
  void add_gradient(std::vector<parameter<T>> const& parameters, gradients<T>& g, double factor) const {
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      if (!is_prunable(parameters[i].role) || !g[i]) continue;
      auto weights = detail::doubles_of(*parameters[i].value);
      detail::grouped_weights const groups(weights, parameters[i], by);
      auto const root = std::sqrt(static_cast<double>(groups.size()));
      for (std::size_t k = 0; k < weights.size(); ++k)
        if (groups.norm_at(k) > 0) weights[k] *= root / groups.norm_at(k);
      detail::add_scaled(g[i], factor * lambda, weights);
    }
  }
};

}  // namespace lnpt
