#pragma once
/// SynFlow: pruning without any data by conserving synaptic flow. Tanaka, Kunin, Yamins, Ganguli, NeurIPS 2020, arXiv:2006.05467.
#include <cmath>

#include <lnpt/core/normalization.hpp>
#include <lnpt/evidence/flow.hpp>

namespace lnpt {

/// How much of the network's synaptic strength passes through a weight.
///
///     S = | θ | ⊙ ∂R/∂|θ|,      R = 1ᵀ f(1; |θ|)
///
/// Reads neither data nor labels. Scores carry one positive common factor that ranks nothing differently and keeps deep networks finite.
struct synflow {
  using evidence = evidence_list<weight, flow>;
  static constexpr int default_rounds = 100;
  static constexpr norm_mode norm = norm_mode::eval;
  static constexpr bool ignores_signs = true;  ///< of the weights, so that rounds take |θ| once

  constexpr auto operator()(auto const& theta, auto const& flow) const {
    using std::abs;
    return abs(theta) * flow;
  }
};

}  // namespace lnpt
