/// Products with the Hessian from differences of gradients: right away from kinks, and the model as it was.
#include <lnpt/core/finite_difference_hvp.hpp>
#include <lnpt/loss/cross_entropy.hpp>

#include "../../examples/host_engine.hpp"
#include "../conformance/support.hpp"

using namespace lnpt;
using host::matrix;

namespace {

/// L = ½ Σ f², whose cotangent is f.
constexpr auto half_squares = [](prediction<matrix> const& predicted) {
  return cotangents<matrix>{predicted.output, std::nullopt};
};

}  // namespace

TEST_CASE("of ½ (w x)² with w = 2, x = 3 the product with v = 5 is x² v = 45") {
  host::perceptron model({1, 1});
  model.parameters()[0].value->values = {2};
  finite_difference_hvp curved(model);
  auto trace = curved.forward({{1, 1}, {3}}, {});
  auto const g = curved.retained_backward(trace, half_squares, which_gradients::prunable);
  CHECK(g[0]->values == std::vector<double>{18});
  auto const hv = curved.hessian_vector_product(trace, half_squares, {matrix{{1, 1}, {5}}, std::nullopt});
  CHECK(hv[0]->values[0] == doctest::Approx(45).epsilon(1e-9));
  CHECK_FALSE(hv[1].has_value());
  CHECK(model.parameters()[0].value->values == std::vector<double>{2});
}

TEST_CASE("a zero direction has a product without entries, and a throwing rule leaves the model as it was") {
  host::perceptron model({3, 4, 2}, 1);
  auto const before = conformance::detail::state_of(model);
  finite_difference_hvp curved(model);
  auto const batch = random_batch<matrix>({5, 3}, 2, 1);
  auto trace = curved.forward(batch.input, {});
  auto const g = curved.retained_backward(trace, half_squares, which_gradients::prunable);
  auto const still = curved.hessian_vector_product(trace, half_squares, gradients<matrix>(g.size()));
  CHECK(still.size() == g.size());
  CHECK_FALSE(std::ranges::any_of(still, [](auto const& each) { return each.has_value(); }));
  auto const broken = [](prediction<matrix> const&) -> cotangents<matrix> { throw error("the rule gave up"); };
  CHECK_THROWS_WITH_AS(static_cast<void>(curved.hessian_vector_product(trace, broken, g)), "the rule gave up", lnpt::error);
  CHECK(conformance::detail::state_of(model) == before);
}
