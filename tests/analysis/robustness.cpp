/// Robustness: a network that can be done in the head, input gradients against central differences, and what must hold of any report.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include <lnpt/analysis/robustness.hpp>
#include <lnpt/analysis/trainability.hpp>
#include <lnpt/backend/cpu/backend.hpp>
#include <lnpt/core/random.hpp>
#include <lnpt/nn/builder.hpp>

using namespace lnpt;

namespace {

template <class T>
using backend = cpu::backend<T>;
template <class T>
using array = cpu::array<T>;

array<double> of(shape const& extents, std::vector<double> const& values) {
  return tensor_traits<array<double>>::make(extents, values);
}

/// Convolutions, batch norm, pools and a shortcut.
template <class T>
network<backend<T>> images() {
  network_builder<backend<T>> net(2, 3);
  auto const first = net.batch_norm("bn1", net.conv2d("conv1", net.input(), 4, {.bias = true}), true);
  auto const joined = net.join(first, net.conv2d("conv2", first, 4), true);
  net.classifier("fc", net.flatten(net.average_pool(net.max_pool(joined, 2, 2), 2, 1)), 3, 4 * 4);
  auto model = std::move(net).build();
  for (auto const& p : model.parameters()) {
    if (is_prunable(p.role)) continue;
    for (std::size_t c = 0; c < size_of(*p.value); ++c) p.value->data()[c] = static_cast<T>(normal(7, c).first);
  }
  return model;
}

template <class T>
array<T> batch(std::size_t samples) {
  shape const extents{samples, 2, 6, 6};
  std::vector<T> values(element_count(extents));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<T>(uniform(11, i));
  return tensor_traits<array<T>>::make(extents, values);
}

}  // namespace

TEST_CASE("by hand: logits x of x = (0.6, 0.4) change places beyond a distance of 0.1") {
  network_builder<backend<double>> net(2);
  net.classifier("fc", net.input(), 2);
  auto model = std::move(net).build();
  *model.parameters()[0].value = of({2, 2}, {1, 0, 0, 1});
  auto const x = of({1, 2}, {0.6, 0.4});
  CHECK(values_of(fast_gradient_sign(model, x, {0}, 0.05)) == std::vector<double>{0.6 - 0.05, 0.4 + 0.05});
  auto const far = values_of(projected_gradient(model, x, {0}, 0.15));
  CHECK(far[0] == doctest::Approx(0.45));
  CHECK(far[1] == doctest::Approx(0.55));
  CHECK(values_of(fast_gradient_sign(model, x, {0}, 2)) == std::vector<double>{0, 1});  // no further than inputs go
  std::vector<double> const epsilons{0, 0.05, 0.11};
  auto const report = robustness(model, x, {0}, epsilons);
  CHECK((report.samples == 1 && report.agreeing == 1));
  for (std::size_t i = 0; i < 3; ++i) {
    auto const stays = i < 2 ? 1U : 0U;
    CHECK(report.rows[i].fgsm == stays);
    CHECK(report.rows[i].pgd == stays);
    CHECK(report.rows[i].certified == stays);
  }
  CHECK(robustness(model, x, {1}, epsilons).agreeing == 0);
}

TEST_CASE("input gradients equal central differences, in the layout of the batch") {
  auto const model = images<double>();
  auto const x = batch<double>(3);
  auto const trace = model.forward(x, {norm_mode::eval});
  std::vector<double> slope(9);
  for (std::size_t i = 0; i < slope.size(); ++i) slope[i] = normal(1, i).first;
  auto const g = model.input_gradient(trace, {of({3, 3}, slope), std::nullopt});
  CHECK(shape_of(g) == shape_of(x));
  auto const value = [&](std::size_t at, double by) {
    auto moved = values_of(x);
    moved[at] += by;
    auto const output = values_of(model.predict(of(shape_of(x), moved), {norm_mode::eval}).output);
    double sum = 0;
    for (std::size_t i = 0; i < output.size(); ++i) sum += slope[i] * output[i];
    return sum;
  };
  for (std::size_t i = 0; i < size_of(x); i += 5)
    CHECK(values_of(g)[i] == doctest::Approx((value(i, 1e-6) - value(i, -1e-6)) / 2e-6).epsilon(1e-5));
}

TEST_CASE("attacks stay within their distance and the box, and what is certified no attack changes") {
  auto model = images<float>();
  auto const x = batch<float>(40);
  auto const classes = tensor_traits<array<float>>::argmax(model.predict(x, {norm_mode::eval}).output);
  std::vector<double> const epsilons{0.001, 0.01, 0.1, 0.5};
  auto const report = robustness(model, x, classes, epsilons);
  CHECK(report.agreeing == 40);
  for (auto const& row : report.rows) {
    CHECK(row.certified.value() <= std::min(row.fgsm, row.pgd));
    auto const moved = values_of(projected_gradient(model, x, classes, row.epsilon));
    for (std::size_t i = 0; i < moved.size(); ++i) {
      CHECK(std::abs(moved[i] - values_of(x)[i]) <= row.epsilon + 1e-7);
      CHECK((moved[i] >= 0 && moved[i] <= 1));
      if (moved.size() > 500) i += 61;
    }
  }
  CHECK(report.rows[0].certified.value() > 0);
  CHECK(report.rows[3].pgd < 40);
  auto const halves = robustness(model, rows(x, 0, 20), {classes.begin(), classes.begin() + 20}, epsilons) +
                      robustness(model, rows(x, 20, 40), {classes.begin() + 20, classes.end()}, epsilons);
  CHECK((halves.samples == 40 && halves.agreeing == 40));
  for (std::size_t i = 0; i < epsilons.size(); ++i) CHECK(halves.rows[i].certified == report.rows[i].certified);
}

TEST_CASE("networks without bounds say why, and inputs outside the box are refused") {
  network_builder<backend<double>> net(2);
  net.classifier("fc", net.activation(net.linear("a", net.input(), 4), {activation_kind::tanh}), 2);
  auto model = std::move(net).build();
  std::vector<double> const epsilons{0.1};
  auto const report = robustness(model, of({1, 2}, {0.5, 0.5}), {0}, epsilons);
  CHECK(!report.rows[0].certified);
  CHECK(report.not_certified.find("an activation function that is no rectifier") != std::string::npos);
  auto with_bounds = images<double>();
  auto const certain = robustness(with_bounds, batch<double>(1), {0}, epsilons);
  REQUIRE(certain.rows[0].certified);
  for (auto const& sum : {certain + report, report + certain}) {  // of two batches, one of which has bounds
    CHECK(sum.samples == 2);
    CHECK(!sum.rows[0].certified);
    CHECK(sum.not_certified == report.not_certified);
  }
  CHECK_THROWS_WITH_AS((void)robustness(model, of({1, 2}, {0.5, 1.5}), {0}, epsilons), doctest::Contains("outside the box"),
                       error);
  CHECK_THROWS_WITH_AS((void)fast_gradient_sign(model, of({1, 2}, {0.5, -2}), {0}, 0.1), doctest::Contains("outside the box"),
                       error);
  CHECK_THROWS_WITH_AS((void)projected_gradient(model, of({1, 2}, {0.5, -2}), {0}, 0.1), doctest::Contains("outside the box"),
                       error);
  CHECK_THROWS_WITH_AS((void)robustness(model, of({1, 2}, {0.5, 0.5}), {7}, epsilons), doctest::Contains("label 7 of sample 0"),
                       error);
  CHECK_THROWS_WITH_AS((void)robustness(model, of({1, 2}, {0.5, 0.5}), {0}, std::vector{-1.0}),
                       doctest::Contains("pass numbers of 0 or more"), error);
}

TEST_CASE("trainability by hand: the singular values of a linear network are those of its weights") {
  network_builder<backend<double>> net(3);
  net.classifier("fc", net.input(), 2);
  auto model = std::move(net).build();
  *model.parameters()[0].value = of({2, 3}, {3, 0, 0, 0, 0.5, 0});
  auto const seen = trainability(model, of({2, 3}, {1, 2, 3, 4, 5, 6}));
  CHECK(seen.samples == 2);
  CHECK(seen.mean == doctest::Approx(1.75));
  CHECK(seen.deviation == doctest::Approx(1.25));
  CHECK(seen.least == doctest::Approx(0.5));
  CHECK(seen.greatest == doctest::Approx(3));
  CHECK(seen.from_isometry == doctest::Approx((4 + 0.25) / 2));
  CHECK(seen.condition == doctest::Approx(6));
  *model.parameters()[0].value = of({2, 3}, {3, 0, 0, 3, 0, 0});
  CHECK(trainability(model, of({1, 3}, {1, 2, 3})).condition > 1e12);  // the least is 0, or what rounding leaves of it
}

TEST_CASE("a network that computes NaN has neither decisions nor singular values") {
  auto model = images<double>();
  auto const x = batch<double>(2);
  model.parameters().back().value->data()[0] = std::nan("");  // a bias of the classifier: in one logit, but in no slope
  std::vector<double> const distances{0.1};
  CHECK_THROWS_WITH_AS((void)robustness(model, x, {0, 1}, distances),
                       doctest::Contains("2 of 6 values of the network's outputs are NaN or infinite"), error);
  CHECK_THROWS_WITH_AS((void)trainability(model, x), doctest::Contains("so they have no Jacobian"), error);
}
