#pragma once
/// The LNPT score: which weights close the gap to a trained teacher's feature map. Xiao, Li, Tang, Nie 2024, arXiv:2403.12690.
#include <cmath>

#include <lnpt/evidence/gauss_newton.hpp>
#include <lnpt/evidence/gradient.hpp>
#include <lnpt/evidence/hessian_diagonal.hpp>
#include <lnpt/evidence/hessian_gradient.hpp>
#include <lnpt/loss/feature_gap.hpp>

namespace lnpt {

/// The synaptic score of eq. (8), from feature maps alone: no label is read.
///
///     S = | θ ⊙ c ⊙ g |,      g = ∂L_m/∂θ,  c_i = ∂²L_m/∂θ_i²,  L_m the learning gap to the teacher
///
/// Larger is kept. The classifier does not reach L_m and has no score. `Curvature` says how c is computed; the default is exact in
/// expectation at the cost of one more backward. Third order in a weight's share, so that one round empties large layers at very high
/// sparsity: use several rounds there.
template <class Curvature = gauss_newton<>>
struct feature_map_synaptic {
  using evidence = evidence_list<weight, curvature<Curvature>, gradient>;
  static constexpr feature_gap default_loss{};
  static constexpr norm_mode norm = norm_mode::frozen;

  constexpr auto operator()(auto const& theta, auto const& c, auto const& g) const {
    using std::abs;
    return abs(theta * c * g);
  }
};

/// GraSP's reading of the same formula: S = | θ ⊙ (H g) | of the learning gap.
template <>
struct feature_map_synaptic<hessian_gradient> {
  using evidence = evidence_list<weight, hessian_gradient>;
  static constexpr feature_gap default_loss{};
  static constexpr norm_mode norm = norm_mode::frozen;

  constexpr auto operator()(auto const& theta, auto const& hg) const {
    using std::abs;
    return abs(theta * hg);
  }
};

}  // namespace lnpt
