#pragma once
// The evidence that docs/extend.md adds, with a criterion that asks for it.
#include <lnpt/lnpt.hpp>

/// Σ_parts ‖∂L_part/∂θ_i‖², the squared gradient of each scoring batch.
struct batch_squares {
  static constexpr lnpt::evidence_needs needs{.data = true, .gradients = true};

  template <class Problem>
  static lnpt::gradients<typename Problem::tensor_type> of_part(Problem const& problem, typename Problem::part const& part,
                                                                typename Problem::trace_type& trace) {
    auto const slope = problem.rule(part)(lnpt::prediction_of(problem.model(), trace));
    lnpt::gradients<typename Problem::tensor_type> g = problem.model().backward(trace, slope, lnpt::which_gradients::prunable);
    for (auto& each : g)
      if (each) each = typename Problem::tensor_type(*each * *each);
    return g;
  }
};

/// Fisher pruning, on batches of one sample each. Theis, Korshunova, Tejani, Huszár 2018, arXiv:1801.05787.
///
///     S = ½ θ² ⊙ Σ_b g_b²
struct my_fisher {
  using evidence = lnpt::evidence_list<lnpt::weight, batch_squares>;
  static constexpr auto norm = lnpt::norm_mode::frozen;

  constexpr auto operator()(auto const& theta, auto const& g2) const { return 0.5 * theta * theta * g2; }
};
