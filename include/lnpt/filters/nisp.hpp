#pragma once
/// Neuron importance, from the features back. Yu, Li, Chen et al., CVPR 2018, arXiv:1711.05908.
#include <lnpt/filters/propagated_importance.hpp>
#include <lnpt/loss/no_loss.hpp>

namespace lnpt {

/// NISP: importance of the features, propagated back through absolute weights, for strategies that take whole channels:
///
///     S_c = Σ_o Σ_kernel |w_next[o, c, …]| S_o,      of features: their variance over the scoring batch
///
/// Larger is kept. Reads unlabelled data for the features alone, which the paper ranks by Inf-FS. Layers behind them have no score.
struct nisp {
  using evidence = evidence_list<propagated_importance>;
  static constexpr no_loss default_loss{};
  static constexpr auto norm = norm_mode::eval;

  constexpr auto operator()(auto const& importance) const { return 1.0 * importance; }
};

}  // namespace lnpt
