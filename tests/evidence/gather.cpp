/// Evidence: every tag has its place, shares its passes, and what ranks nothing is refused in one sentence.
#include "../conformance/support.hpp"

#include <functional>

#include "../../examples/host_engine.hpp"
#include <lnpt/core/finite_difference_hvp.hpp>
#include <lnpt/criterion/magnitude.hpp>
#include <lnpt/loss/distillation.hpp>

using namespace lnpt;
using host::matrix;

namespace {

/// The host engine, counting its passes; `spoil` may change the gradients that it returns.
class counted : public host::perceptron {
 public:
  using perceptron::perceptron;

  trace forward(matrix const& x, normalization const& norm) {
    ++forwards;
    return perceptron::forward(x, norm);
  }
  gradients<matrix> backward(trace const& t, cotangents<matrix> const& slope, which_gradients which) {
    ++backwards;
    auto g = perceptron::backward(t, slope, which);
    if (spoil) spoil(g);
    return g;
  }

  int forwards = 0, backwards = 0;
  std::function<void(gradients<matrix>&)> spoil;
};

struct scene {
  counted student{{6, 9, 4}, 1}, trained{{6, 9, 4}, 2};
  labelled_batch<matrix> batch = random_batch<matrix>({8, 6}, 4, 1);
  known_predictions<matrix> guide{teacher(trained).predict(batch.input)};

  template <class C>
  std::vector<double> first_scores() {
    return values_of(score<C>(student, batch, guide, cross_entropy{}, {.sample_group = 1}).parameters.at(0).values);
  }
};

template <class... Tags>
struct product_of {
  using evidence = evidence_list<Tags...>;
  auto operator()(auto const&... piece) const { return (piece * ...); }
};

/// |θ g|, each with its random factor.
struct noisy_snip {
  using evidence = evidence_list<weight, gradient, noise>;
  auto operator()(auto const& theta, auto const& g, auto const& u) const {
    using std::abs;
    return abs(theta * g) * u;
  }
};

template <class First, class Second>
struct difference_of {
  using evidence = evidence_list<First, Second>;
  auto operator()(auto const& a, auto const& b) const { return a + -1.0 * b; }
};

/// Σ_parts g², the squared gradient of each part: evidence of a user's own, from data.
struct batch_squares {
  static constexpr evidence_needs needs{.data = true, .gradients = true};
  template <class Problem>
  static gradients<typename Problem::tensor_type> of_part(Problem const& problem, typename Problem::part const& part,
                                                          typename Problem::trace_type& trace) {
    auto const slope = problem.rule(part)(prediction_of(problem.model(), trace));
    gradients<typename Problem::tensor_type> g = problem.model().backward(trace, slope, which_gradients::prunable);
    for (auto& each : g)
      if (each) each = *each * *each;
    return g;
  }
};

/// The place of a parameter in its model: evidence of a user's own, from the model alone.
struct depth {
  static constexpr evidence_needs needs{};
  template <class Model>
  static gradients<tensor_of<Model>> of_model(Model& model, evidence_request const&) {
    gradients<tensor_of<Model>> places;
    for (double place = 1; auto const& p : model.parameters()) {
      std::vector<double> const values(size_of(*p.value), place++);
      places.push_back(make_tensor<tensor_of<Model>>(shape_of(*p.value), values, *p.value));
    }
    return places;
  }
};

std::string sentence(std::function<void()> const& call) {
  try {
    call();
  } catch (error const& e) {
    return e.what();
  }
  return "no error";
}
bool says(std::string const& text, std::string const& part) {
  CAPTURE(text);
  CHECK(text.find(part) != std::string::npos);
  return text.find(part) != std::string::npos;
}

prune_options<global_unstructured> const half{.budget = sparsity{0.5}};

}  // namespace

TEST_CASE("evidence of data and of the model alone meet in one criterion") {
  scene s;
  auto const plain = s.first_scores<snip>(), noisy = s.first_scores<noisy_snip>();
  for (std::size_t i = 0; i < plain.size(); ++i) CHECK(noisy[i] == doctest::Approx(plain[i] * uniform(0, 0, i)));
  CHECK(prune<noisy_snip>(s.student, s.batch, half).report.sparsity_scored == 0.5);
  auto const flows = values_of(score<product_of<flow>>(s.student, shape{6}, {}).parameters.at(0).values);
  auto const slopes = s.first_scores<product_of<gradient>>(), both = s.first_scores<product_of<gradient, flow>>();
  for (std::size_t i = 0; i < both.size(); ++i) CHECK(both[i] == doctest::Approx(slopes[i] * flows[i]));
}

TEST_CASE("two curvatures are two pieces of evidence, and one listed twice is one") {
  scene s;
  using probed = curvature<gauss_newton<>>;
  using exact = curvature<gauss_newton_exact>;
  auto const a = s.first_scores<product_of<probed>>(), b = s.first_scores<product_of<exact>>();
  auto const apart = s.first_scores<difference_of<probed, exact>>();
  for (std::size_t i = 0; i < a.size(); ++i) CHECK(apart[i] == doctest::Approx(a[i] - b[i]));
  auto const twice = s.first_scores<product_of<exact, exact>>();
  for (std::size_t i = 0; i < b.size(); ++i) CHECK(twice[i] == doctest::Approx(b[i] * b[i]));
}

TEST_CASE("evidence shares its passes") {
  scene s;
  auto const passes = [&]<class C>(C, auto& model) {
    s.student.forwards = s.student.backwards = 0;
    static_cast<void>(score<C>(model, s.batch, {}));
    return std::pair(s.student.forwards, s.student.backwards);
  };
  using exact = curvature<gauss_newton_exact>;
  CHECK(passes(snip{}, s.student) == std::pair(1, 1));
  finite_difference_hvp curved(s.student);  // two forwards and backwards per product, beside those of the gradient
  CHECK(passes(grasp{}, curved) == std::pair(3, 3));
  CHECK(passes(product_of<gradient, hessian_gradient>{}, curved) == std::pair(3, 3));
  auto const squares =
      passes(product_of<exact>{}, s.student);  // a forward and backward per sample and class, and one forward before
  CHECK(squares == std::pair(1 + 8 * 4, 8 * 4));
  CHECK(passes(product_of<gradient, hessian_gradient, exact>{}, curved) == std::pair(3 + 8 * 4, 3 + 8 * 4));
}

TEST_CASE("options, guide and loss may be left out") {
  scene s;
  auto const plain = values_of(score<snip>(s.student, s.batch).parameters.at(0).values);
  CHECK(plain == values_of(score<snip>(s.student, s.batch, score_options{}).parameters.at(0).values));
  CHECK(plain == values_of(score<snip>(s.student, s.batch, cross_entropy{}).parameters.at(0).values));
  CHECK(plain == values_of(score<snip>(s.student, s.batch, s.guide, cross_entropy{}).parameters.at(0).values));
  CHECK(values_of(score<feature_map_synaptic<>>(s.student, s.batch, s.guide).parameters.at(0).values) ==
        values_of(score<feature_map_synaptic<>>(s.student, s.batch, s.guide, feature_gap{}, {}).parameters.at(0).values));
}

TEST_CASE("evidence of a user's own is gathered, from data and from the model") {
  scene s;
  auto const slopes = s.first_scores<product_of<gradient>>(), squares = s.first_scores<product_of<batch_squares>>();
  for (std::size_t i = 0; i < squares.size(); ++i) CHECK(squares[i] == doctest::Approx(slopes[i] * slopes[i]));
  auto const found = score<product_of<weight, depth>>(s.student, shape{}, {});
  CHECK(values_of(found.parameters.at(1).values)[5] == 3 * s.student.parameters()[2].value->values[5]);
}

TEST_CASE("scores that are all 0 are refused, in every round") {
  scene s;
  for (auto const& p : s.trained.parameters()) *p.value = 0.0 * *p.value;
  says(sentence([&] { (void)prune<magnitude>(s.trained, half); }), "all scores are 0, from hidden.0.weight to fc.weight");
  says(sentence([&] { (void)score<synflow>(s.trained, shape{6}, {}); }), "all scores are 0");
  says(sentence([&] { (void)score<snip>(s.trained, s.batch, {}); }), "all scores are 0");  // the bias alone has a gradient
  says(sentence([&] { (void)prune<feature_map_synaptic<>>(s.student, s.batch, teacher(s.student), half); }), "all scores are 0");
  auto const zeros = [](counted& model) {
    return score_set<matrix>{{{"hidden.0.weight", 0.0 * *model.parameters()[0].value, role::weight, 0}}, {}, 0};
  };
  says(sentence([&] { (void)prune_by(s.student, zeros, half); }), "all scores are 0, from hidden.0.weight to hidden.0.weight");
  auto const cut = [round = 0](counted& model) mutable {
    return score_set<matrix>{
        {{"hidden.0.weight", (round++ == 0 ? 1.0 : 0.0) * *model.parameters()[0].value, role::weight, 0}}, {}, 0};
  };
  auto rescore = cut;
  says(sentence(
           [&] { (void)prune_by(s.student, [&](counted& m) { return rescore(m); }, {.budget = sparsity{0.5}, .rounds = 2}); }),
       "all scores are 0 in round 2");
}

TEST_CASE("gradients that are rounding noise are refused, small ones are not") {
  scene s;
  auto near = s.student;
  for (auto const& p : near.parameters()) *p.value = (1 + 0x1p-52) * *p.value;
  unlabelled_batch const batch{s.batch.input};
  says(sentence([&] { (void)prune<feature_map_synaptic<>>(s.student, batch, teacher(near), half); }),
       "the gradients are rounding noise");
  auto const distilled = [&] { (void)prune<snip>(s.student, batch, teacher(near), distillation{}, half); };
  says(sentence(distilled), "the gradients are rounding noise");
  for (auto const& p : near.parameters()) *p.value = (1 + 1e-9) * *p.value;  // a gap a million times the rounding
  CHECK_NOTHROW((void)prune<feature_map_synaptic<>>(s.student, batch, teacher(near), half));
  for (auto const& p : s.student.parameters()) *p.value = 1e-30 * *p.value;  // small scores of a small network
  CHECK_NOTHROW((void)prune<snip>(s.student, s.batch, half));
}

TEST_CASE("a loss that reaches no weight, and a model without any, are refused") {
  counted linear({6, 4}, 1), wide({6, 4}, 2);  // the features are the input
  auto const batch = random_batch<matrix>({8, 6}, 4, 1);
  says(sentence([&] { (void)prune<feature_map_synaptic<>>(linear, unlabelled_batch{batch.input}, teacher(wide), half); }),
       "the loss reaches none of the 1 prunable parameters (fc.weight)");
  says(sentence([&] { (void)prune_by(linear, [](counted&) { return score_set<matrix>{}; }, half); }),
       "the model has no prunable weights");
}

TEST_CASE("too few gradients and gradients of another shape are refused by the name of what returned them") {
  scene s;
  s.student.spoil = [](auto& g) { g.pop_back(); };
  says(sentence([&] { (void)score<snip>(s.student, s.batch, {}); }), "backward() returned 3 gradients for 4 parameters");
  says(sentence([&] { (void)score<obd<>>(s.student, s.batch, {}); }), "backward() returned 3 gradients for 4 parameters");
  s.student.spoil = [](auto& g) { g[2]->extents = {9, 4}; };
  says(sentence([&] { (void)score<snip>(s.student, s.batch, {}); }),
       "backward() returned a gradient of the shape [9, 4] for fc.weight, which is [4, 9]");
  says(sentence([&] { (void)score<synflow>(s.student, shape{6}, {}); }),
       "synaptic_flow() returned a gradient of the shape [9, 4]");
}

TEST_CASE("a negative synaptic flow is refused by the first layer that has one") {
  scene s;
  s.student.spoil = [](auto& g) { g[2]->values[7] = -1; };
  says(sentence([&] { (void)prune<synflow>(s.student, shape{6}, half); }),
       "the synaptic flow of fc.weight is negative in 1 of 36 values and of no layer before");
  s.student.spoil = [](auto& g) { *g[0] = -1.0 * *g[0], *g[2] = -1.0 * *g[2]; };  // as a log_softmax at the end does
  says(sentence([&] { (void)prune<synflow>(s.student, shape{6}, half); }),
       "the synaptic flow of hidden.0.weight, the first layer, is negative in 54 of 54 values");
  s.student.spoil = [](auto& g) { g[2]->values[7] = -1e-18; };  // the rounding of a fast convolution
  CHECK_NOTHROW((void)prune<synflow>(s.student, shape{6}, half));
}

TEST_CASE("layers that a criterion says nothing about are named, as where saturated activation functions stop synflow") {
  scene s;
  s.student.spoil = [](auto& g) { *g[0] = 0.0 * *g[0]; };
  auto const warnings = prune<synflow>(s.student, shape{6}, half).report.warnings;
  REQUIRE(!warnings.empty());
  says(warnings.front(), "every score of hidden.0.weight is 0, though the weights are not");
}

TEST_CASE("scores that are NaN are refused by score as by prune") {
  scene s;
  s.student.spoil = [](auto& g) { g[2]->values[7] = std::numeric_limits<double>::quiet_NaN(); };
  says(sentence([&] { (void)score<snip>(s.student, s.batch, {}); }), "scores are NaN or infinite (1 of 36 in fc.weight)");
  says(sentence([&] { (void)prune<snip>(s.student, s.batch, half); }), "scores are NaN or infinite (1 of 36 in fc.weight)");
}

TEST_CASE("groups of no samples are refused") {
  scene s;
  says(sentence([&] { (void)score<obd<>>(s.student, s.batch, {.sample_group = 0}); }), "sample_group is 0");
}

TEST_CASE("weights of equal scores are counted, and warned of above one in a hundred") {
  counted model({10, 20, 10}, 1);
  auto const ranks = [](counted& m) {  // 400 weights; `equal` of them have the score at the middle
    score_set<matrix> scores;
    for (auto const& p : m.parameters())
      if (is_prunable(p.role)) scores.parameters.push_back({p.name, *p.value, p.role, 0});
    return scores;
  };
  auto const fill = [&](std::size_t equal) {
    std::size_t i = 0;
    for (auto const& p : model.parameters())
      if (is_prunable(p.role))
        for (auto& v : p.value->values)
          v = i < 200 - equal / 2 ? 1 + 1e-3 * double(i) : i < 200 + equal / 2 ? 0.5 : -double(i), ++i;
  };
  fill(4);
  auto const few = prune_by(model, ranks, half).report;
  CHECK(few.decided_by_position == 4);
  CHECK(few.warnings.empty());
  fill(40);
  auto const many = prune_by(model, ranks, half).report;
  CHECK(many.decided_by_position == 40);
  REQUIRE(many.warnings.size() == 1);
  says(many.warnings[0], "40 of 400 scored weights had exactly the score of a threshold");
  auto in_rounds = half;
  in_rounds.rounds = 2;
  says(prune_by(model, ranks, in_rounds).report.warnings.at(0),
       "decisions in 2 rounds on 400 scored weights were between equal scores");
  fill(0);
  CHECK(prune_by(model, ranks, half).report.decided_by_position == 0);
}

TEST_CASE("a parameter that the loss does not reach keeps at_least weights, too, where it is pruned by magnitude") {
  counted model({10, 20, 2}, 1);  // 200 and 40 weights, of which 6 and 1 would stay
  auto const first_alone = [](counted& m) {
    score_set<matrix> scores;
    for (auto const& p : m.parameters())
      if (is_prunable(p.role)) {
        if (scores.parameters.empty())
          scores.parameters.push_back({p.name, *p.value, p.role, 0});
        else
          scores.unreached.push_back(p.name);
      }
    return scores;
  };
  auto const masks =
      prune_by(model, first_alone,
               prune_options<global_unstructured>{.budget = sparsity{0.97}, .unreached = unreached::magnitude, .at_least = 5})
          .masks;
  REQUIRE(masks.size() == 2);
  CHECK(masks.begin()->count() == 6);
  CHECK(std::next(masks.begin())->count() == 5);
}
