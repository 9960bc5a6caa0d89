#pragma once
/// Neuron importance, from the features back. Yu, Li, Chen et al., CVPR 2018, arXiv:1711.05908.
#include <lnpt/filters/propagated_importance.hpp>
#include <lnpt/filters/scored_by.hpp>

namespace lnpt {

/// NISP: importance of the features, propagated back through absolute weights, for strategies that take whole channels:
///
///     S_c = Σ_o Σ_kernel |w_next[o, c, …]| S_o,      of features: their variance over the scoring batch
///
/// Larger is kept. Reads unlabelled data for the features alone, which the paper ranks by Inf-FS. Layers behind them have no score.
struct nisp : scored_by<propagated_importance> {};

}  // namespace lnpt
