/// Every loss: its value by hand, its cotangent against central differences, its tangent on duals against differences of cotangents.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include <lnpt/backend/cpu/array.hpp>
#include <lnpt/core/random.hpp>
#include <lnpt/loss/cross_entropy.hpp>
#include <lnpt/loss/distillation.hpp>
#include <lnpt/loss/feature_gap.hpp>
#include <lnpt/loss/feature_mse.hpp>
#include <lnpt/loss/on_engine.hpp>
#include <lnpt/loss/pseudo_label.hpp>
#include <lnpt/loss/weighted_sum.hpp>

using namespace lnpt;
using array = cpu::array<double>;

namespace {

array matrix(shape const& extents, std::vector<double> const& values) { return tensor_traits<array>::make(extents, values); }

array noise(shape const& extents, std::uint64_t stream) {
  std::vector<double> values(element_count(extents));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = 2 * normal(11, stream, i).first;
  return matrix(extents, values);
}

/// A student and what it is held against: four samples, three classes, five features.
struct scene {
  prediction<array> student{noise({4, 3}, 0), noise({4, 5}, 1)};
  prediction<array> teacher_prediction{noise({4, 3}, 2), noise({4, 5}, 3)};
  std::vector<std::int64_t> labels{2, 0, 1, 2};
  target<array> expected() const { return {&labels, &teacher_prediction}; }
};

prediction<array> moved(prediction<array> const& at, prediction<array> const& along, double t) {
  return {array(at.output + t * along.output), array(*at.features + t * *along.features)};
}

double dot(array const& a, array const& b) { return tensor_traits<array>::sum(array(a * b)); }

/// ⟨slopes, v⟩ over outputs and features; an absent slope is zero.
double along(cotangents<array> const& slopes, prediction<array> const& v) {
  return (slopes.output ? dot(*slopes.output, v.output) : 0) + (slopes.features ? dot(*slopes.features, *v.features) : 0);
}

double distance(std::optional<array> const& a, std::optional<array> const& b) {
  REQUIRE(a.has_value() == b.has_value());
  if (!a) return 0;
  array const difference(*a - *b);
  return std::sqrt(dot(difference, difference));
}

template <class Loss>
void check_cotangent(scene const& s, Loss const& loss) {
  double const t = 1e-6;
  for (std::uint64_t draw = 0; draw < 5; ++draw) {
    prediction<array> const v{noise({4, 3}, 10 + draw), noise({4, 5}, 20 + draw)};
    auto const measured =
        (loss.value(moved(s.student, v, t), s.expected()) - loss.value(moved(s.student, v, -t), s.expected())) / (2 * t);
    CHECK(along(loss.cotangent(s.student, s.expected()), v) == doctest::Approx(measured).epsilon(1e-7));
  }
}

template <class Loss>
void check_dual(scene const& s, Loss const& loss) {
  double const t = 1e-6;
  prediction<array> const v{noise({4, 3}, 30), noise({4, 5}, 31)};
  prediction<dual<array>> const lifted{{s.student.output, v.output}, dual<array>{*s.student.features, *v.features}};
  auto const slopes = loss.cotangent(lifted, s.expected());
  auto const plain = loss.cotangent(s.student, s.expected());
  auto const ahead = loss.cotangent(moved(s.student, v, t), s.expected()),
             behind = loss.cotangent(moved(s.student, v, -t), s.expected());
  auto const check = [&](std::optional<dual<array>> const& of, auto const& value, auto const& up, auto const& down) {
    REQUIRE(of.has_value() == value.has_value());
    if (!of) return;
    CHECK(distance(of->value, value) == 0);
    array const measured((0.5 / t) * (*up - *down));
    CHECK(distance(of->tangent, measured) <= 1e-7 * std::sqrt(dot(measured, measured)));
  };
  check(slopes.output, plain.output, ahead.output, behind.output);
  check(slopes.features, plain.features, ahead.features, behind.features);
}

/// E_z[S z (S z)ᵀ] = ∂²ℓ/∂f² of one sample, by all sign vectors z instead of an expectation.
template <class Loss>
void check_probe(Loss const& loss, bool features) {
  scene s;
  s.student = {noise({1, 3}, 40), noise({1, 3}, 41)};
  s.teacher_prediction = {noise({1, 3}, 42), noise({1, 3}, 43)};
  s.labels = {1};
  array squares = cpu::filled<double>({3, 3}, 0);
  for (int bits = 0; bits < 8; ++bits) {
    auto const z = matrix({1, 3}, {bits & 1 ? 1. : -1., bits & 2 ? 1. : -1., bits & 4 ? 1. : -1.});
    auto const probe = loss.curvature_probe(s.student, z);
    auto const& p = features ? *probe.features : *probe.output;
    for (std::size_t i = 0; i < 9; ++i) squares.data()[i] += p.data()[i / 3] * p.data()[i % 3] / 8;
  }
  for (std::size_t k = 0; k < 3; ++k) {
    array unit = cpu::filled<double>({1, 3}, 0);
    unit.data()[k] = 1;
    dual<array> f{s.student.output}, m{*s.student.features};
    (features ? m : f).tangent = unit;
    auto const slopes = loss.cotangent(prediction<dual<array>>{f, m}, s.expected());
    auto const& column = features ? *slopes.features->tangent : *slopes.output->tangent;
    for (std::size_t i = 0; i < 3; ++i) CHECK(squares.data()[3 * i + k] == doctest::Approx(column.data()[i]).epsilon(1e-10));
  }
}

}  // namespace

TEST_CASE("equal logits over four classes cost log 4, whichever label is right") {
  prediction<array> const predicted{matrix({2, 4}, std::vector<double>(8, 3.0)), std::nullopt};
  std::vector<std::int64_t> const labels{0, 3};
  CHECK(cross_entropy{}.value(predicted, {.labels = &labels}) == doctest::Approx(std::log(4)));
  CHECK(cross_entropy{.temperature = 200}.value(predicted, {.labels = &labels}) == doctest::Approx(std::log(4)));
}

TEST_CASE("a tie in the teacher's logits is decided for the lowest class") {
  prediction<array> const predicted{matrix({1, 3}, {0, 1, 2}), std::nullopt},
      teacher_prediction{matrix({1, 3}, {0, 5, 5}), std::nullopt};
  std::vector<std::int64_t> const second{1};
  CHECK(pseudo_label{}.value(predicted, {.teacher = &teacher_prediction}) ==
        cross_entropy{}.value(predicted, {.labels = &second}));
}

TEST_CASE("distillation at temperature one from a certain teacher is cross-entropy, and its temperature weighs by its square") {
  scene s;
  prediction<array> const certain{matrix({4, 3}, {0, 0, 900, 900, 0, 0, 0, 900, 0, 0, 0, 900}), std::nullopt};
  CHECK(distillation{.temperature = 1}.value(s.student, {.teacher = &certain}) ==
        doctest::Approx(cross_entropy{}.value(s.student, {.labels = &s.labels})));
  CHECK(distillation{.temperature = 4}.value(s.student, {.teacher = &certain}) ==
        doctest::Approx(16 * cross_entropy{.temperature = 4}.value(s.student, {.labels = &s.labels})));
}

TEST_CASE("every cotangent is the central difference of its value, and its dual that of the cotangent") {
  scene const s;
  auto const check = [&](auto const& loss) {
    check_cotangent(s, loss);
    check_dual(s, loss);
  };
  check(cross_entropy{});
  check(cross_entropy{.temperature = 200});
  check(pseudo_label{.temperature = 2});
  check(distillation{});
  check(distillation{.temperature = 3, .teacher_only = true});
  check(feature_gap{});
  check(feature_mse{});
  check(feature_mse{.temperature = 4});
  check(pseudo_label{} + 0.5 * feature_mse{});
  check(0.25 * cross_entropy{} + 2.0 * feature_gap{});
}

TEST_CASE("a term of weight 0 is not evaluated, so that a narrower student is no error") {
  scene s;
  s.student.features = matrix({4, 1}, {1, 2, 3, 4});
  auto const both = pseudo_label{} + 0.0 * feature_mse{};
  auto const teacher = s.expected();
  CHECK(both.value(s.student, teacher) == pseudo_label{}.value(s.student, teacher));
  CHECK(*both.cotangent(s.student, teacher).output == *pseudo_label{}.cotangent(s.student, teacher).output);
  CHECK(!both.cotangent(s.student, teacher).features);
  CHECK_THROWS_WITH_AS(static_cast<void>((pseudo_label{} + 0.1 * feature_mse{}).value(s.student, teacher)),
                       doctest::Contains("the same width"), lnpt::error);
}

TEST_CASE("the probe is a root of the loss's Hessian") {
  check_probe(cross_entropy{}, false);
  check_probe(cross_entropy{.temperature = 2}, false);
  check_probe(pseudo_label{.temperature = 0.5}, false);
  check_probe(distillation{.temperature = 3}, false);
  check_probe(distillation{.temperature = 3, .teacher_only = true}, false);
  check_probe(feature_gap{}, true);
  check_probe(feature_mse{.temperature = 2}, true);
}

TEST_CASE("labels and teachers that do not fit are refused in one sentence") {
  scene s;
  std::vector<std::int64_t> const high{0, 1, 3, 0}, negative{0, -1, 0, 0}, few{0, 1};
  auto const value = [&](std::vector<std::int64_t> const& labels) {
    return cross_entropy{}.value(s.student, {.labels = &labels});
  };
  CHECK_THROWS_WITH_AS(value(high), "label 3 of sample 2 is out of range: the model has 3 classes, so labels go from 0 to 2",
                       lnpt::error);
  CHECK_THROWS_WITH_AS(value(negative), "label -1 of sample 1 is out of range: the model has 3 classes, so labels go from 0 to 2",
                       lnpt::error);
  CHECK_THROWS_WITH_AS(value(few), "the batch has 4 samples but 2 labels: pass one per sample", lnpt::error);
  s.teacher_prediction.features = noise({4, 7}, 5);
  CHECK_THROWS_WITH_AS(static_cast<void>(feature_gap{}.value(s.student, s.expected())),
                       "the student's features are [4, 5] but the teacher's are [4, 7]: both must have the same number of "
                       "samples and the same width, or leave out the loss that compares them, as a weight of 0 does",
                       lnpt::error);
  s.teacher_prediction.features.reset();
  CHECK_THROWS_WITH_AS(static_cast<void>(feature_mse{}.value(s.student, s.expected())),
                       "the teacher gives no features: pass a guide whose predictions hold a feature map as well as logits",
                       lnpt::error);
}

TEST_CASE("a teacher's NaN decides nothing: what is learnt from it is NaN, and of classes it rules out nothing changes") {
  scene s;
  auto const value = pseudo_label{}.value(s.student, s.expected());
  auto const infinity = std::numeric_limits<double>::infinity();
  auto& logits = s.teacher_prediction.output;
  auto const least =
      logits(1, 0) < logits(1, 1) ? (logits(1, 0) < logits(1, 2) ? 0U : 2U) : (logits(1, 1) < logits(1, 2) ? 1U : 2U);
  logits(1, least) = -infinity;
  CHECK(pseudo_label{}.value(s.student, s.expected()) == value);
  logits(1, least) = std::numeric_limits<double>::quiet_NaN();
  CHECK(std::isnan(pseudo_label{}.value(s.student, s.expected())));
  auto const slope = values_of(*pseudo_label{}.cotangent(s.student, s.expected()).output);
  CHECK(std::isnan(slope[3]));
  CHECK_FALSE(std::isnan(slope[0]));
}
