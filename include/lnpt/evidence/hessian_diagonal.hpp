#pragma once
/// The Hessian's diagonal itself.
#include <cstddef>
#include <vector>

#include <lnpt/evidence/curvature.hpp>
#include <lnpt/evidence/problem.hpp>

namespace lnpt {

/// c_i = ∂²L/∂θ_i², one Hessian–vector product per weight: for tests and tiny networks.
struct hessian_diagonal {
  static constexpr evidence_needs needs{.data = true, .gradients = true, .hessian = true};

  template <class Problem>
  [[nodiscard]] static auto of_part(Problem const& problem, typename Problem::part const& p,
                                    typename Problem::trace_type& trace) {
    using T = typename Problem::tensor_type;
    auto& model = problem.model();
    auto const rule = problem.rule(p);
    auto const g =
        detail::checked_gradients(model, "retained_backward()", model.retained_backward(trace, rule, which_gradients::prunable));
    gradients<T> diagonal(g.size());
    for (std::size_t i = 0; i < g.size(); ++i) {
      if (!g[i]) continue;
      std::vector<value_type<T>> entries(size_of(*g[i]));
      for (std::size_t k = 0; k < entries.size(); ++k) {
        std::vector<value_type<T>> unit(entries.size());
        unit[k] = 1;
        gradients<T> direction(g.size());
        direction[i] = make_tensor<T>(shape_of(*g[i]), unit, *g[i]);
        auto const product =
            detail::checked_gradients(model, "hessian_vector_product()", model.hessian_vector_product(trace, rule, direction));
        if (product[i]) entries[k] = values_of(*product[i])[k];
      }
      diagonal[i] = make_tensor<T>(shape_of(*g[i]), entries, *g[i]);
    }
    return diagonal;
  }
};

}  // namespace lnpt
