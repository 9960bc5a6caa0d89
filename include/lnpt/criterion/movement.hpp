#pragma once
/// Movement pruning. Sanh, Wolf, Rush, NeurIPS 2020, arXiv:2005.07683.
#include <lnpt/evidence/gradient.hpp>
#include <lnpt/loss/cross_entropy.hpp>

namespace lnpt {

/// How much a step of gradient descent moves a weight away from zero.
///
///     S = −θ ⊙ g,      g = ∂L/∂θ
///
/// Larger is kept; weights that shrink have negative scores. The paper adds S up over the steps of fine-tuning; one call is one step's
/// share. Reads labels, unless given a loss that does not. One forward and one backward pass.
struct movement {
  using evidence = evidence_list<weight, gradient>;
  static constexpr cross_entropy default_loss{};
  static constexpr norm_mode norm = norm_mode::train;

  constexpr auto operator()(auto const& theta, auto const& g) const { return -1.0 * theta * g; }
};

}  // namespace lnpt
