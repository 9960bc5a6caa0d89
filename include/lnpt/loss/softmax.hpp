#pragma once
/// What the losses on class probabilities share: cross-entropy against given probabilities, its derivative and its curvature's root.
#include <lnpt/loss/concept.hpp>

namespace lnpt::detail {

/// −1/B Σ_b Σ_k p_bk log softmax(f_b/τ)_k for given class probabilities p.
template <class T>
[[nodiscard]] double soft_cross_entropy(T const& output, T const& probabilities, double temperature) {
  T const log_probabilities = log_softmax(T((1.0 / temperature) * output));
  return -total(T(probabilities * log_probabilities)) / static_cast<double>(row_count(output));
}

/// Its derivative (softmax(f/τ) − p) / (B τ), where each row of p sums to one.
template <class V>
[[nodiscard]] V soft_cross_entropy_cotangent(V const& output, V const& probabilities, double temperature) {
  V const predicted = lnpt::exp(log_softmax(V((1.0 / temperature) * output)));
  V const difference(predicted - probabilities);
  return V((1.0 / (static_cast<double>(row_count(output)) * temperature)) * difference);
}

/// S z for softmax cross-entropy: (√p ⊙ z − p ⟨√p, z⟩)/τ, since S = (diag √p − p √pᵀ)/τ.
template <class T>
[[nodiscard]] T cross_entropy_probe(T const& output, T const& z, double temperature) {
  T const log_p = log_softmax(T((1.0 / temperature) * output));
  T const root_z(lnpt::exp(T(0.5 * log_p)) * z);
  T const probabilities = lnpt::exp(log_p);
  T const centred(root_z - probabilities * row_sum(root_z));
  return T((1.0 / temperature) * centred);
}

}  // namespace lnpt::detail
