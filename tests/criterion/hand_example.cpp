/// The linear student that can be followed with a pencil: every number here is worked out by hand.
#include <doctest/doctest.h>

#include <lnpt/backend/cpu/backend.hpp>
#include <lnpt/criterion/bn_scale.hpp>
#include <lnpt/criterion/feature_map_synaptic.hpp>
#include <lnpt/criterion/filter_norm.hpp>
#include <lnpt/criterion/fisher.hpp>
#include <lnpt/criterion/grasp.hpp>
#include <lnpt/criterion/magnitude.hpp>
#include <lnpt/criterion/movement.hpp>
#include <lnpt/criterion/obd.hpp>
#include <lnpt/criterion/snip.hpp>
#include <lnpt/criterion/synflow.hpp>
#include <lnpt/criterion/taylor.hpp>
#include <lnpt/loss/feature_mse.hpp>
#include <lnpt/mask/channel_structured.hpp>
#include <lnpt/nn/builder.hpp>
#include <lnpt/prune.hpp>

using namespace lnpt;
using array = cpu::array<double>;

namespace {

array matrix(shape const& extents, std::vector<double> const& values) { return tensor_traits<array>::make(extents, values); }

/// m = W x, followed by a classifier that no feature loss reaches.
network<cpu::backend<double>> linear_model(std::vector<double> const& weights) {
  network_builder<cpu::backend<double>> net(2);
  net.classifier("fc", net.linear("map", net.input(), 2), 2);
  auto model = std::move(net).build();
  *model.parameters().front().value = matrix({2, 2}, weights);
  return model;
}

struct example {
  network<cpu::backend<double>> student = linear_model({1, 2, 3, -0.5});
  network<cpu::backend<double>> trained = linear_model({2, 2, 2, -1});
  unlabelled_batch<array> batch{matrix({1, 2}, {1, 2})};

  template <class C>
  std::vector<double> scores(score_options const& options = {}) {
    auto const found = score<C>(student, batch, teacher(trained), feature_gap{}, options);
    CHECK(found.unreached.empty() == std::same_as<C, magnitude>);  // no feature reaches the classifier
    auto scores = values_of(found.parameters.at(0).values);
    for (auto& s : scores) s = std::round(s * 1e12) / 1e12;  // √2 · √2 is 2 but for the last bit
    return scores;
  }
  /// The bits of `map.weight` that criterion `C` keeps of four: two.
  template <class C>
  std::string kept(keep_end end = keep_end::highest) {
    auto const [masks, report] =
        prune<C>(student, batch, teacher(trained), feature_gap{}, {.budget = sparsity{0.5}, .keep_end = end});
    CHECK(report.sparsity_scored == 0.5);
    CHECK(report.sparsity_prunable == 0.25);  // 2 of the 4 + 4 weights of both layers
    auto const* const mask = masks.find("map.weight");
    std::string bits;
    for (std::size_t i = 0; i < mask->size(); ++i) bits += (*mask)[i] ? '1' : '0';
    return bits;
  }
};

using numbers = std::vector<double>;

}  // namespace

TEST_CASE("maps (5, 2) and (6, 0) are a gap of 1² + 2² = 5 apart, with slopes 2 (m − m_t)") {
  example e;
  auto const predicted = prediction_of(e.student, e.student.forward(e.batch.input));
  auto const teacher_prediction = teacher(e.trained).predict(e.batch.input);
  CHECK(values_of(*predicted.features) == numbers{5, 2});
  CHECK(values_of(*teacher_prediction.features) == numbers{6, 0});
  target<array> const expected{nullptr, &teacher_prediction};
  CHECK(feature_gap{}.value(predicted, expected) == 5);
  CHECK(values_of(*feature_gap{}.cotangent(predicted, expected).features) == numbers{-2, 4});
  CHECK(feature_mse{}.value(predicted, expected) == 2.5);
}

TEST_CASE("g = [[-2, -4], [4, 8]] and c = [[2, 8], [2, 8]] give each criterion's scores") {
  example e;
  CHECK(e.scores<magnitude>() == numbers{1, 2, 3, 0.5});
  CHECK(e.scores<snip>() == numbers{2, 8, 12, 4});
  CHECK(e.scores<taylor>() == numbers{4, 64, 144, 16});
  CHECK(e.scores<movement>() == numbers{2, 8, -12, 4});
  CHECK(e.scores<fisher>() == numbers{2, 32, 72, 8});  // of one sample ½ (θ g)²
  CHECK(e.scores<obd<gauss_newton_exact>>() == numbers{1, 16, 9, 1});
  CHECK(e.scores<feature_map_synaptic<gauss_newton_exact>>() == numbers{4, 64, 24, 32});
  CHECK(e.scores<feature_map_synaptic<hessian_diagonal>>() == numbers{4, 64, 24, 32});
  CHECK(e.scores<feature_map_synaptic<hessian_gradient>>() == numbers{20, 80, 120, 40});
  CHECK(e.scores<grasp>() == numbers{-20, -80, 120, -40});
}

TEST_CASE("one probe is exact here, whatever its sign: each weight reaches one feature") {
  example e;
  for (std::uint64_t seed = 0; seed < 4; ++seed)
    CHECK(e.scores<feature_map_synaptic<>>({.seed = seed}) == numbers{4, 64, 24, 32});
}

TEST_CASE("two of four weights stay: other criteria, other weights") {
  example e;
  CHECK(e.kept<feature_map_synaptic<>>() == "0101");
  CHECK(e.kept<feature_map_synaptic<hessian_gradient>>() == "0110");
  CHECK(e.kept<grasp>() == "1010");
  CHECK(e.kept<snip>() == "0110");
  CHECK(e.kept<feature_map_synaptic<>>(keep_end::lowest) == "1010");  // what the paper's text says literally
}

TEST_CASE("synaptic flow of |W| with a classifier of absolute weights V: S_ij = |w_ij| · Σ_k |v_ki|") {
  example e;
  *e.student.parameters()[2].value = matrix({2, 2}, {1, -1, 2, 0.5});
  auto const found = score<synflow>(e.student, shape{2}, {});
  CHECK(values_of(found.parameters.at(0).values) == numbers{3, 6, 4.5, 0.75});  // columns of |V| sum to 3 and 1.5
  CHECK(values_of(found.parameters.at(1).values) == numbers{3, 3.5, 6, 1.75});  // |v_ki| times rows of |W|: 3 and 3.5
}

TEST_CASE("the Fisher information of a batch is the sum of its samples' squares: sample gradients ±1 at θ = 2 give ½ · 4 · 2") {
  network_builder<cpu::backend<double>> net(1);
  net.classifier("fc", net.linear("map", net.input(), 1), 1);
  auto model = std::move(net).build();
  *model.parameters().front().value = matrix({1, 1}, {2});
  // The gap to m_t is (2 x − m_t)²: at x = 1 and m_t = 1.5 or 2.5 its slope is ±1, and the batch's gradient is 0.
  unlabelled_batch<array> const batch{matrix({2, 1}, {1, 1})};
  known_predictions<array> const guide(prediction<array>{matrix({2, 1}, {0, 0}), matrix({2, 1}, {1.5, 2.5})});
  CHECK(values_of(score<fisher>(model, batch, guide, feature_gap{}).parameters.at(0).values) == numbers{4});
}

TEST_CASE("a filter's norm and its batch norm's scale are the sums of its weights' scores: (3, −4) has 7, 5, 3.5 and √12.5") {
  network_builder<cpu::backend<double>> net(2);
  net.classifier(
      "fc", net.global_average_pool(net.batch_norm("bn", net.conv2d("conv", net.input(), 2, {.kernel = 1, .padding = 0}))), 2);
  auto model = std::move(net).build();
  *model.parameters()[0].value = matrix({2, 2, 1, 1}, {3, -4, 1, 1});
  *model.parameters()[1].value = matrix({2}, {-0.5, 2});
  auto const first = [&]<class C>(C) {
    auto const s = values_of(score<C>(model, shape{2, 1, 1}).parameters.at(0).values);
    CHECK(s[0] == s[1]);
    return s[0] + s[1];
  };
  CHECK(first(filter_norm<>{}) == 7);
  CHECK(first(filter_norm<filter_measure::l2>{}) == 5);
  CHECK(first(filter_norm<filter_measure::mean_l1>{}) == 3.5);
  CHECK(first(filter_norm<filter_measure::mean_l2>{}) == doctest::Approx(std::sqrt(12.5)));
  CHECK(first(bn_scale{}) == 0.5);
  auto const scales = score<bn_scale>(model, shape{2, 1, 1});
  CHECK(scales.parameters.size() == 1);
  CHECK(scales.unreached == std::vector<std::string>{"fc.weight"});
  auto const kept = prune<bn_scale, channel_structured>(model, shape{2, 1, 1}, {.budget = channels{0.5}}).masks;
  CHECK_FALSE((*kept.find("conv.weight"))[0]);
  CHECK((*kept.find("conv.weight"))[2]);
}
