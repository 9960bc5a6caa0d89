// The conformance suite on a foreign engine, and on engines that each break one promise.
#include <lnpt/backend/cpu/backend.hpp>
#include <lnpt/core/finite_difference_hvp.hpp>
#include <lnpt/zoo/mlp.hpp>

#include "../../examples/host_engine.hpp"
#include "support.hpp"

using namespace lnpt;

namespace {

labelled_batch<host::matrix> batch() { return random_batch<host::matrix>({10, 6}, 4, 1); }

/// A host engine that breaks one promise.
enum class broken { gradient, bias_gradient, empty_gradient, repetition, features, restoration, count, shape, name };

class broken_engine : public host::perceptron {
 public:
  explicit broken_engine(broken promise) : perceptron({6, 9, 7, 4}, 3), promise_(promise) {}

  trace forward(host::matrix const& x, normalization const& norm) {
    auto t = perceptron::forward(x, norm);
    if (promise_ == broken::repetition) t.values.back().values[0] += 1e-9 * ++passes_;
    if (promise_ == broken::features) t.values.end()[-2].values[0] += 0.1;
    if (promise_ == broken::restoration) parameters().front().value->values[0] += 0.1;
    return t;
  }
  gradients<host::matrix> backward(trace const& t, cotangents<host::matrix> const& slope, which_gradients which) {
    auto g = perceptron::backward(t, slope, which);
    if (promise_ == broken::gradient) g[2]->values[5] *= 1.01;
    if (promise_ == broken::bias_gradient && g[1]) g[1]->values[0] += 1e-3;
    if (promise_ == broken::empty_gradient && !g[4]) g[4] = 0.0 * *parameters()[4].value;
    if (promise_ == broken::count) g.pop_back();
    if (promise_ == broken::shape) std::swap(g[0]->extents[0], g[0]->extents[1]);
    return g;
  }
  std::vector<parameter<host::matrix>> parameters() {
    auto all = perceptron::parameters();
    if (promise_ == broken::name) all[2].name = all[0].name;
    return all;
  }

 private:
  broken promise_;
  int passes_ = 0;
};

/// The product with a matrix that is not the Hessian: not symmetric, or a little too large.
class broken_curvature : public finite_difference_hvp<host::perceptron> {
 public:
  broken_curvature(host::perceptron& model, bool symmetric) : finite_difference_hvp(model), symmetric_(symmetric) {}

  template <class Rule>
  gradients<host::matrix> hessian_vector_product(trace& t, Rule const& rule, gradients<host::matrix> const& v) {
    auto hv = finite_difference_hvp::hessian_vector_product(t, rule, v);
    if (symmetric_)
      hv[0] = host::matrix(1.001 * *hv[0]);
    else
      hv[2]->values[0] += v[0]->values[0];
    return hv;
  }

 private:
  bool symmetric_;
};

bool finds(conformance::findings const& found, std::string const& property) {
  return std::any_of(found.begin(), found.end(), [&](auto const& f) { return f.property == property; });
}

}  // namespace

TEST_CASE("the example's host engine conforms, with Hessian-vector products by finite differences") {
  host::perceptron model({6, 9, 7, 4}, 3);
  check_conforms(conformance::examine(model, batch()));
  finite_difference_hvp curved(model);
  check_conforms(conformance::examine(curved, batch()));
}

TEST_CASE("an engine that breaks one promise is found out, by the name of the promise") {
  auto const examined = [](broken promise) {
    broken_engine model(promise);
    return conformance::examine(model, batch());
  };
  CHECK(finds(examined(broken::gradient), "gradient"));
  CHECK(finds(examined(broken::bias_gradient), "gradient"));
  CHECK(finds(examined(broken::empty_gradient), "reach"));
  CHECK(finds(examined(broken::repetition), "trace"));
  CHECK(finds(examined(broken::features), "trace"));
  CHECK(finds(examined(broken::restoration), "restoration"));
}

TEST_CASE("counts, shapes and names come first: where they do not hold nothing else is examined, and that is said") {
  for (auto const& [promise, property] :
       {std::pair{broken::count, "shapes"}, std::pair{broken::shape, "shapes"}, std::pair{broken::name, "names"}}) {
    broken_engine model(promise);
    auto const found = conformance::examine(model, batch());
    CHECK(finds(found, property));
    REQUIRE(found.not_examined.size() == 1);
    CHECK(found.not_examined[0].property == "everything else");
  }
}

TEST_CASE("what an engine does not offer is said to be not examined") {
  host::perceptron model({6, 9, 7, 4}, 3);
  auto const found = conformance::examine(model, batch());
  std::vector<std::string> properties;
  for (auto const& [property, why] : found.not_examined) properties.push_back(property);
  CHECK(properties == std::vector<std::string>{"Hessian-vector product", "Jacobian-vector product", "per-sample squares"});
}

namespace {

/// lnpt's own network in float, with a gradient that is half as large again.
struct skewed_network : network<cpu::backend<float>> {
  using array = cpu::array<float>;
  explicit skewed_network(network<cpu::backend<float>> model) : network(std::move(model)) {}
  gradients<array> backward(trace const& t, cotangents<array> const& slope, which_gradients which) const {
    auto g = network::backward(t, slope, which);
    if (g[2]) g[2] = array(1.5F * *g[2]);
    return g;
  }
};

}  // namespace

TEST_CASE("a gradient that is half as large again is found out in float too") {
  std::vector<std::size_t> const sizes{6, 9, 7, 4};
  skewed_network model(zoo::mlp<cpu::backend<float>>(sizes, 3));
  CHECK(finds(conformance::examine(model, random_batch<cpu::array<float>>({10, 6}, 4, 1)), "gradient"));
}

TEST_CASE("a Hessian-vector product that is wrong, or of no symmetric matrix, is found out") {
  host::perceptron model({6, 9, 7, 4}, 3);
  broken_curvature scaled(model, true), skewed(model, false);
  CHECK(finds(conformance::examine(scaled, batch()), "Hessian-vector product"));
  CHECK(finds(conformance::examine(skewed, batch()), "Hessian symmetry"));
}

TEST_CASE("the foreign engine and lnpt's own give the same scores of the same weights") {
  using array = cpu::array<double>;
  host::perceptron theirs({6, 9, 7, 4}, 3);
  std::vector<std::size_t> const sizes{6, 9, 7, 4};
  auto ours = zoo::mlp<cpu::backend<double>>(sizes);
  auto const source = theirs.parameters();
  for (std::size_t i = 0; auto const& p : ours.parameters()) assign(*p.value, convert<array>(*source.at(i++).value, array{}));

  auto const foreign = batch();
  labelled_batch const own{convert<array>(foreign.input, array{}), foreign.labels};
  auto const compare = [&](auto const& a, auto const& b, double tolerance) {
    REQUIRE(a.parameters.size() == b.parameters.size());
    for (std::size_t i = 0; i < a.parameters.size(); ++i)
      CHECK(conformance::detail::close(convert<array>(a.parameters[i].values, array{}), b.parameters[i].values, tolerance));
  };
  compare(score<snip>(theirs, foreign, {}), score<snip>(ours, own, {}), 1e-12);
  compare(score<synflow>(theirs, shape{6}, {}), score<synflow>(ours, shape{6}, {}), 1e-12);
  compare(score<lnpt::random>(theirs, shape{}, {}), score<lnpt::random>(ours, shape{}, {}), 0);
  compare(score<obd<gauss_newton_exact>>(theirs, foreign, {}), score<obd<gauss_newton_exact>>(ours, own, {}), 1e-12);
  compare(score<obd<>>(theirs, foreign, {.sample_group = 1}), score<obd<>>(ours, own, {}), 1e-12);
  finite_difference_hvp curved(theirs);
  compare(score<grasp>(curved, foreign, {}), score<grasp>(ours, own, {}), 1e-6);
}

TEST_CASE("a network that its own rounds cut is named as not examined there") {
  std::vector<std::size_t> const sizes{2, 1, 1, 2};
  auto network = zoo::mlp<cpu::backend<double>>(sizes, 5);
  std::vector<double> values;
  for (std::size_t i = 0; i < 8; ++i) values.push_back(normal(5, 3, i).first);
  labelled_batch<cpu::array<double>> const images{tensor_traits<cpu::array<double>>::make({4, 2}, values), {0, 1, 0, 1}};
  auto const found = conformance::examine(network, images);
  CHECK(std::ranges::count(found.not_examined, "pruning in rounds", &conformance::finding::property) == 1);
}
