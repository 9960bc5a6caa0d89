#pragma once
/// Squared gradients of single samples, summed.
#include <string_view>

#include <lnpt/evidence/evidence.hpp>
#include <lnpt/evidence/sample_squares.hpp>

namespace lnpt {

/// Σ_b g_b², where g_b = ∂ℓ_b/∂θ is the gradient of sample b's own loss and L = 1/B Σ_b ℓ_b. Refused where batch statistics couple the
/// samples.
struct squared_gradient {
  static constexpr evidence_needs needs{.data = true, .gradients = true};

  template <class Problem>
  [[nodiscard]] static auto of_part(Problem const& problem, typename Problem::part const& p,
                                    typename Problem::trace_type& trace) {
    detail::require_uncoupled_samples(problem, "squared_gradient");
    auto slope = problem.rule(p)(prediction_of(problem.model(), trace));
    auto const samples = static_cast<double>(problem.samples());
    if (slope.output) slope.output = typename Problem::tensor_type(samples * *slope.output);
    if (slope.features) slope.features = typename Problem::tensor_type(samples * *slope.features);
    return detail::sample_squares(problem, p, trace, slope, 1);
  }
};

}  // namespace lnpt
