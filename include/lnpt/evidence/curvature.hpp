#pragma once
/// c, the diagonal of the loss's curvature.
#include <lnpt/evidence/evidence.hpp>

namespace lnpt {

/// c as `Policy` computes it: `gauss_newton<Probes>`, `gauss_newton_exact`, `hessian_diagonal`, or a policy of one's own, which has
/// `needs` and `of_part` as every tag of evidence (evidence.hpp).
template <class Policy>
struct curvature {
  static_assert(
      evidence_tag<Policy>,
      "lnpt: this is not a curvature policy. Choose gauss_newton<>, gauss_newton_exact or hessian_diagonal, or write an empty "
      "struct with `static constexpr evidence_needs needs` and of_part().");
  static constexpr evidence_needs needs = [] {
    if constexpr (evidence_tag<Policy>) return evidence_needs(Policy::needs);
    return evidence_needs{};
  }();

  template <class Problem>
  [[nodiscard]] static gradients<typename Problem::tensor_type> of_part(Problem const& problem,
                                                                        typename Problem::part const& part,
                                                                        typename Problem::trace_type& trace) {
    return Policy::of_part(problem, part, trace);
  }
};

}  // namespace lnpt
