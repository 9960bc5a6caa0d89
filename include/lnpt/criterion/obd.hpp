#pragma once
/// Optimal Brain Damage. LeCun, Denker, Solla, NeurIPS 1989.
#include <lnpt/evidence/gauss_newton.hpp>
#include <lnpt/evidence/hessian_diagonal.hpp>
#include <lnpt/loss/cross_entropy.hpp>

namespace lnpt {

/// The second-order change of the loss when the weight is removed, with a diagonal curvature.
///
///     S = ½ c ⊙ θ²,      c_i ≈ ∂²L/∂θ_i², by default its Gauss–Newton part
///
/// Larger is kept.
template <class Curvature = gauss_newton<>>
struct obd {
  using evidence = evidence_list<weight, curvature<Curvature>>;
  static constexpr cross_entropy default_loss{};
  static constexpr norm_mode norm = norm_mode::frozen;

  constexpr auto operator()(auto const& theta, auto const& c) const { return 0.5 * c * theta * theta; }
};

}  // namespace lnpt
