#pragma once
/// SNIP: single-shot network pruning based on connection sensitivity. Lee, Ajanthan, Torr, ICLR 2019, arXiv:1810.02340.
#include <cmath>

#include <lnpt/evidence/gradient.hpp>
#include <lnpt/loss/cross_entropy.hpp>

namespace lnpt {

/// How much the loss moves when a connection c is switched off:
///
///     S = | ∂L(c ⊙ θ)/∂c | at c = 1  =  | θ ⊙ g |,      g = ∂L/∂θ
///
/// Larger is kept. The paper divides by the sum of S, which changes no ranking. Reads labels, unless given a loss that does not.
struct snip {
  using evidence = evidence_list<weight, gradient>;
  static constexpr cross_entropy default_loss{};
  static constexpr norm_mode norm = norm_mode::train;

  constexpr auto operator()(auto const& theta, auto const& g) const {
    using std::abs;
    return abs(theta * g);
  }
};

}  // namespace lnpt
