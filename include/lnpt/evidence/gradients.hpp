#pragma once
/// g = ∂L/∂θ and H g over all scoring batches.
#include <lnpt/evidence/problem.hpp>

namespace lnpt::detail {

/// g = Σ_parts ∂L/∂θ: one forward and one backward. `with_each_trace(part, trace)` sees each trace before the backward pass uses it up.
template <class Problem, class WithEachTrace>
[[nodiscard]] auto gather_gradient(Problem const& problem, WithEachTrace with_each_trace) {
  auto& model = problem.model();
  gradients<typename Problem::tensor_type> g;
  for (auto const& p : problem.parts()) {
    auto trace = model.forward(*p.input, problem.norm());
    with_each_trace(p, trace);
    auto const slope = problem.rule(p)(prediction_of(model, trace));
    accumulate(g, last_backward(model, std::move(trace), slope, which_gradients::prunable));
  }
  return g;
}

/// H g with H and g of the whole batch: (Σ_parts H)(Σ_parts g). Both come from one pass where there is one part: 3 units of
/// forward+backward; more parts need the whole g first, a second primal pass: 4 units.
template <class Problem, class WithEachTrace>
[[nodiscard]] auto gather_hessian_gradient(Problem const& problem, gradients<typename Problem::tensor_type>& g,
                                           WithEachTrace with_each_trace) {
  auto& model = problem.model();
  using tensor_type = typename Problem::tensor_type;
  if (problem.parts().size() > 1) g = gather_gradient(problem, [](auto const&, auto&) {});

  gradients<tensor_type> hg;
  for (auto const& p : problem.parts()) {
    auto const rule = problem.rule(p);
    auto trace = model.forward(*p.input, problem.norm());
    with_each_trace(p, trace);
    auto here = model.retained_backward(trace, rule, which_gradients::prunable);
    if (problem.parts().size() == 1) g = std::move(here);
    accumulate(hg, last_hessian_vector_product(model, std::move(trace), rule, g));
  }
  // A weight the loss reaches, but only linearly, has Hg = 0, not "unreached".
  for (std::size_t i = 0; i < g.size(); ++i)
    if (g[i] && !hg[i]) hg[i] = tensor_type(0.0 * *g[i]);
  return hg;
}

}  // namespace lnpt::detail
