#pragma once
/// g = ∂L/∂θ over all scoring batches.
#include <utility>

#include <lnpt/core/model_access.hpp>
#include <lnpt/evidence/evidence.hpp>
#include <lnpt/evidence/problem.hpp>
#include <lnpt/evidence/rounding.hpp>

namespace lnpt {

/// g = ∂L/∂θ
struct gradient {
  static constexpr evidence_needs needs{.data = true, .gradients = true};
};

namespace detail {

/// g = Σ_parts ∂L/∂θ: one forward and one backward. `with_each_trace(part, trace)` sees each trace before the backward pass uses it
/// up. Throws where g is rounding noise.
template <class Problem, class WithEachTrace>
[[nodiscard]] auto gather_gradient(Problem const& problem, WithEachTrace with_each_trace) {
  auto& model = problem.model();
  gradients<typename Problem::tensor_type> g;
  double products = 0;
  for (auto const& p : problem.parts()) {
    auto trace = model.forward(*p.input, problem.norm());
    with_each_trace(p, trace);
    auto const rule = problem.rule(p);
    auto const predicted = prediction_of(model, trace);
    auto const slope = rule(predicted);
    products += product_scale(rule, predicted, slope);
    accumulate(g,
               checked_gradients(model, "backward()", last_backward(model, std::move(trace), slope, which_gradients::prunable)));
  }
  problem.complete(g);
  problem.complete(products);
  refuse_rounding_noise(model, g, products);
  return g;
}

/// Only what `with_each_trace(part, trace)` makes of each forward pass, without a backward pass.
template <class Problem, class WithEachTrace>
void visit_traces(Problem const& problem, WithEachTrace with_each_trace) {
  for (auto const& p : problem.parts()) {
    auto trace = problem.model().forward(*p.input, problem.norm());
    with_each_trace(p, trace);
  }
}

}  // namespace detail
}  // namespace lnpt
