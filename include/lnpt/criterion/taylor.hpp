#pragma once
/// First-order Taylor importance. Molchanov, Mallya, Tyree, Frosio, Kautz, CVPR 2019, arXiv:1906.10771.
#include <lnpt/evidence/gradient.hpp>
#include <lnpt/loss/cross_entropy.hpp>

namespace lnpt {

/// The squared first-order change of the loss when the weight is removed.
///
///     S = (θ ⊙ g)²,      g = ∂L/∂θ
///
/// Larger is kept; ranks weights as `snip` does, but accumulates differently over channels.
struct taylor {
  using evidence = evidence_list<weight, gradient>;
  static constexpr cross_entropy default_loss{};
  static constexpr norm_mode norm = norm_mode::train;

  constexpr auto operator()(auto const& theta, auto const& g) const { return theta * g * theta * g; }
};

}  // namespace lnpt
