#pragma once
/// A measure of sparsity that does not shrink the weights that stay.
#include <cstddef>
#include <vector>

#include <lnpt/regulariser/regulariser.hpp>
#include <lnpt/regulariser/weight_groups.hpp>

namespace lnpt {

/// DeepHoyer: the squared ratio of L1 to L2 norm of each prunable parameter, over single weights (HS) or over the norms of groups
/// (group-HS). Between 1 and the number of groups, whatever the scale of the weights. Yang, Wen, Li, ICLR 2020, arXiv:1908.09979.
///
///     R = λ Σ_layers S² / Q,   S = Σ_g ‖w_g‖,   Q = Σ w²;      ∂R/∂w = 2 λ (S/Q) (w/‖w_g‖ − (S/Q) w)
///
/// A parameter that is all zero has no gradient, nor has a group. Costs a copy of the weights to the host and back.
struct deep_hoyer {
  using is_regulariser = void;
  double lambda = 1e-3;
  weight_group by = weight_group::element;

  /// S² / Q of one parameter; 0 where it is all zero.
  template <class T>
  [[nodiscard]] double measure(parameter<T> const& p) const {
    auto const [sum, squares] = sums_of(groups_of(p));
    return squares > 0 ? sum * sum / squares : 0;
  }

  /// R.
  template <class T>
  [[nodiscard]] double value(std::vector<parameter<T>> const& parameters) const {
    double sum = 0;
    for (auto const& p : parameters)
      if (is_prunable(p.role)) sum += measure(p);
    return lambda * sum;
  }

  template <class T>
  void require_use(std::vector<parameter<T>> const& parameters) const {
    detail::require_prunable_weights(parameters, "deep_hoyer");
  }
  template <class T>
  void add_gradient(std::vector<parameter<T>> const& parameters, gradients<T>& g, double factor) const {
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      if (!is_prunable(parameters[i].role) || !g[i]) continue;
      auto const groups = groups_of(parameters[i]);
      auto const [sum, squares] = sums_of(groups);
      if (squares == 0) continue;
      auto weights = detail::doubles_of(*parameters[i].value);
      auto const ratio = sum / squares;
      for (std::size_t k = 0; k < weights.size(); ++k)
        if (groups.norm_at(k) > 0) weights[k] = 2 * ratio * (weights[k] / groups.norm_at(k) - ratio * weights[k]);
      detail::add_scaled(g[i], factor * lambda, weights);
    }
  }

 private:
  struct sums {
    double norms = 0, squares = 0;
  };
  template <class T>
  [[nodiscard]] detail::grouped_weights groups_of(parameter<T> const& p) const {
    return {detail::doubles_of(*p.value), p, by};
  }
  [[nodiscard]] static sums sums_of(detail::grouped_weights const& groups) {
    sums total;
    for (auto const norm : groups.norms()) total.norms += norm, total.squares += norm * norm;
    return total;
  }
};

}  // namespace lnpt
