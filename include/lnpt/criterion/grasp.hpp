#pragma once
/// GraSP: picking winning tickets before training by preserving gradient flow. Wang, Zhang, Grosse, ICLR 2020, arXiv:2002.07376.
#include <lnpt/evidence/hessian_gradient.hpp>
#include <lnpt/loss/cross_entropy.hpp>

namespace lnpt {

/// How much removing a weight would reduce the gradient flow gᵀg that is left.
///
///     S = θ ⊙ (H g),      g = ∂L/∂θ,  H = ∂²L/∂θ²
///
/// The paper removes the largest −θ ⊙ Hg; larger S is kept here, as everywhere. Its loss is cross-entropy at τ = 200.
struct grasp {
  using evidence = evidence_list<weight, hessian_gradient>;
  static constexpr norm_mode norm = norm_mode::train;
  static constexpr cross_entropy default_loss{.temperature = 200.0};

  constexpr auto operator()(auto const& theta, auto const& hg) const { return theta * hg; }
};

}  // namespace lnpt
