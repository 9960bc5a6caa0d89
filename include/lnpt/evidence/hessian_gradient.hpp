#pragma once
/// H g over all scoring batches, and g on the way to it.
#include <utility>

#include <lnpt/core/model_access.hpp>
#include <lnpt/evidence/gradient.hpp>

namespace lnpt {

/// H g, the Hessian of the loss times its gradient.
struct hessian_gradient {
  static constexpr evidence_needs needs{.data = true, .gradients = true, .hessian = true};
};

namespace detail {

/// H g with H and g of the whole batch: (Σ_parts H)(Σ_parts g). Writes g as well. Both come from one pass where there is one part: 3
/// units of forward+backward; more parts need the whole g first, a second primal pass: 4 units.
template <class Problem, class WithEachTrace>
[[nodiscard]] auto gather_hessian_gradient(Problem const& problem, gradients<typename Problem::tensor_type>& g,
                                           WithEachTrace with_each_trace) {
  auto& model = problem.model();
  using tensor_type = typename Problem::tensor_type;
  auto const in_one_part = problem.is_in_one_part();
  if (!in_one_part) g = gather_gradient(problem, [](auto const&, auto&) {});

  gradients<tensor_type> hg;
  for (auto const& p : problem.parts()) {
    auto const rule = problem.rule(p);
    auto trace = model.forward(*p.input, problem.norm());
    with_each_trace(p, trace);
    auto here = checked_gradients(model, "retained_backward()", model.retained_backward(trace, rule, which_gradients::prunable));
    if (in_one_part) {
      g = std::move(here);
      auto const predicted = prediction_of(model, trace);
      refuse_rounding_noise(model, g, product_scale(rule, predicted, rule(predicted)));
    }
    accumulate(
        hg, checked_gradients(model, "hessian_vector_product()", last_hessian_vector_product(model, std::move(trace), rule, g)));
  }
  problem.complete(hg);
  // A weight the loss reaches, but only linearly, has Hg = 0, not "unreached".
  for (std::size_t i = 0; i < g.size(); ++i)
    if (g[i] && !hg[i]) hg[i] = tensor_type(0.0 * *g[i]);
  return hg;
}

}  // namespace detail
}  // namespace lnpt
