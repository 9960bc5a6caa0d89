#pragma once
/// The diagonal of a loss's curvature: policies that say how c is computed.
#include <cstddef>

namespace lnpt {

/// The Gauss–Newton diagonal by random probes, an independent one for each sample, squares accumulated per sample:
///
///     c_i = 1/B Σ_b ‖S_bᵀ ∂f_b/∂θ_i‖²  =  E_z 1/B Σ_b (∂⟨S_b z_b, f_b⟩/∂θ_i)²,     z Rademacher,  S_b S_bᵀ = ∂²ℓ/∂f_b²
///
/// For the learning gap c_i = 2/B Σ_bk (∂m_bk/∂θ_i)², which *is* the Hessian's diagonal for networks of linear, convolution, ReLU,
/// pooling and add layers with constant normalisation. One backward per probe. Refused where batch statistics couple the samples.
template <int Probes = 1>
struct gauss_newton {
  static_assert(
      Probes > 0,
      "lnpt: gauss_newton needs at least one probe. Write gauss_newton<1>, or gauss_newton_exact for the sum without probes.");
  static constexpr int probes = Probes;
};

/// The same sum without probes, one backward per output: for tests and small networks. Exact under batch statistics too, where it
/// takes one backward per sample and output.
struct gauss_newton_exact {};

/// ∂²L/∂θ_i² itself, one Hessian–vector product per weight: for tests and tiny networks.
struct hessian_diagonal {};

}  // namespace lnpt
