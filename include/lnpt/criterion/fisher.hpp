#pragma once
/// Fisher pruning: the empirical Fisher information in the place of the curvature. Theis, Korshunova, Tejani, Huszár 2018,
/// arXiv:1801.05787.
#include <lnpt/evidence/squared_gradient.hpp>
#include <lnpt/loss/cross_entropy.hpp>

namespace lnpt {

/// The change of the loss when the weight is removed, with the diagonal of the empirical Fisher information as its curvature.
///
///     S = ½ θ² ⊙ Σ_b g_b²,      g_b = ∂ℓ_b/∂θ of sample b
///
/// Larger is kept. Needs a loss that is a mean over samples, and batch norm that does not couple them (frozen or eval). Reads labels,
/// unless given a loss that does not. One forward and one backward pass on engines that square per sample, one of each per sample
/// elsewhere.
struct fisher {
  using evidence = evidence_list<weight, squared_gradient>;
  static constexpr cross_entropy default_loss{};
  static constexpr norm_mode norm = norm_mode::frozen;

  constexpr auto operator()(auto const& theta, auto const& squares) const { return 0.5 * squares * theta * theta; }
};

}  // namespace lnpt
