/// Learning gap, distances, shared masks, J·d and the tangent kernel: sums that can be done in the head, then the oracle's values.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <vector>

#include <lnpt/analysis/learning_gap.hpp>
#include <lnpt/analysis/linear_gap.hpp>
#include <lnpt/analysis/mask_overlap.hpp>
#include <lnpt/analysis/neural_tangent_kernel.hpp>
#include <lnpt/analysis/weight_distance.hpp>

#include "../io/support.hpp"
#include "../oracle/oracle.hpp"
#include "../skip.hpp"

using namespace lnpt;

namespace {

using backend = cpu::backend<double>;
using array = cpu::array<double>;
using model = network<backend>;

array tensor_of_values(shape const& extents, std::vector<double> const& values) {
  return tensor_traits<array>::make(extents, values);
}

/// Two inputs, two features, one logit: m = ReLU(θ x), f = 3 m_0 + 4 m_1.
model small(std::vector<double> const& theta) {
  std::vector<std::size_t> const sizes{2, 2, 1};
  auto net = zoo::mlp<backend>(sizes);
  for (auto const& p : net.parameters()) {
    if (p.name == "hidden.0.weight") *p.value = tensor_of_values({2, 2}, theta);
    if (p.name == "fc.weight") *p.value = tensor_of_values({1, 2}, {3, 4});
  }
  return net;
}

mask mask_of(std::string const& name, std::vector<int> const& bits) {
  mask result(name, {bits.size()}, false);
  for (std::size_t i = 0; i < bits.size(); ++i) result.set(i, bits[i] != 0);
  return result;
}

mask_set masks_of(std::vector<mask> const& all) {
  mask_set set;
  for (auto const& each : all) set.add(each);
  return set;
}

double largest_difference(std::span<double const> found, std::span<double const> expected) {
  REQUIRE(found.size() == expected.size());
  double worst = 0;
  double largest = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    worst = std::max(worst, std::abs(found[i] - expected[i]));
    largest = std::max(largest, std::abs(expected[i]));
  }
  return worst / largest;
}

std::vector<double> row_major(Eigen::MatrixXd const& matrix) {
  std::vector<double> values;
  for (Eigen::Index i = 0; i < matrix.rows(); ++i)
    for (Eigen::Index j = 0; j < matrix.cols(); ++j) values.push_back(matrix(i, j));
  return values;
}

}  // namespace

TEST_CASE("the gap, the distance and J·d of a network of four weights") {
  auto student = small({1, 2, 3, -.5});
  auto teaching = small({2, 2, 2, -1});
  auto const x = tensor_of_values({1, 2}, {1, 2});  // m_s = (5, 2), m_t = (6, 0)
  CHECK(learning_gap_of(student, unlabelled_batch{x}, teacher(teaching)) == 5);
  CHECK(squared_distance(student, teaching) == 2.25);  // d = (1, 0, −1, −½)

  auto const [moved, error] = linear_gap_of(student, teaching, x);
  CHECK(values_of(moved) == std::vector<double>{1, -2});  // Δm itself: linear in θ, where no unit is switched
  CHECK(error == doctest::Approx(0));

  // Two batches count by their samples: (5 + 5 + 0) / 3.
  std::vector<unlabelled_batch<array>> const batches{{tensor_of_values({2, 2}, {1, 2, 1, 2})},
                                                     {tensor_of_values({1, 2}, {0, 0})}};
  CHECK(learning_gap_of(student, batches, teacher(teaching)) == doctest::Approx(10.0 / 3));
}

TEST_CASE("networks that do not compare are refused or have no distance") {
  auto student = small({1, 2, 3, -.5});
  std::vector<std::size_t> const sizes{2, 3, 1};
  auto wider = zoo::mlp<backend>(sizes);
  auto const x = tensor_of_values({1, 2}, {1, 2});
  CHECK_FALSE(squared_distance(student, wider).has_value());
  CHECK(support::says(support::refusal([&] { (void)linear_gap_of(student, wider, x); }), "differ in shape"));
  CHECK(support::says(support::refusal([&] { (void)linear_gap_of(student, student, x); }), "equal features"));
  CHECK(support::says(support::refusal([&] { (void)learning_gap().mean(); }), "add a batch first"));
}

TEST_CASE("weight escape is growth of the distance while the gap is below its first value") {
  CHECK(weight_escape(std::vector{2., 3., 2.5}, std::vector{5., 4., 3.}) == .5);
  CHECK(weight_escape(std::vector{2., 9., 1.5}, std::vector{5., 6., 3.}) == 0);  // grown only while the gap was wider
  CHECK(support::says(support::refusal([] { (void)weight_escape(std::vector{2.}, std::vector{5., 4.}); }),
                      "one of each per epoch"));
}

TEST_CASE("what masks share, counted on fingers") {
  auto const a = masks_of({mask_of("w", {1, 1, 0, 0}), mask_of("v", {1, 0})});
  auto const b = masks_of({mask_of("w", {1, 0, 1, 0}), mask_of("v", {1, 0})});
  CHECK(mask_overlap(a, a) == 1);
  CHECK(mask_overlap(a, b) == doctest::Approx(2.0 / 3));
  // Without a mask, v is dense: of {w: 2, v: 2} kept there, one of w and one of v are kept here as well.
  auto const c = masks_of({mask_of("w", {1, 0, 1, 0})});
  CHECK(mask_overlap(a, c) == .5);
  CHECK(mask_overlap(c, a) == .5);
  CHECK(support::says(support::refusal([&] { (void)mask_overlap(a, masks_of({mask_of("w", {1})})); }), "one network"));
  auto const nothing = masks_of({mask_of("w", {0, 0})});
  CHECK(support::says(support::refusal([&] { (void)mask_overlap(nothing, nothing); }), "keep nothing"));
}

TEST_CASE("the tangent kernel of one sample, and a kernel that doubles") {
  auto student = small({1, 2, 3, -.5});
  auto const kernel = tangent_kernel_of(student, tensor_of_values({1, 2}, {1, 2}));
  // ∂f/∂θ_kj = W_k x_j and ∂f/∂W = m: |W|²|x|² + |m|² = 25 · 5 + 29.
  REQUIRE(kernel.theta.size() == 1);
  CHECK(kernel.theta(0, 0) == doctest::Approx(154));

  Eigen::MatrixXd const w = Eigen::RowVector2d(3, 4);
  tangent_kernel const first{Eigen::MatrixXd::Constant(1, 1, 25), w};
  tangent_kernel const twice{Eigen::MatrixXd::Constant(1, 1, 50), w};
  CHECK(largest_difference(row_major(feature_kernel(first)), std::vector{.36, .48, .48, .64}) < 1e-12);
  CHECK(kernel_drift(first, first) == doctest::Approx(0));
  CHECK(kernel_drift(first, twice) == doctest::Approx(1));
  // A classifier that turns to (4, −3) leaves an s at right angles: ‖s_t − s_0‖² = 2 ‖s_0‖².
  CHECK(kernel_drift(first, {first.theta, Eigen::RowVector2d(4, -3)}) == doctest::Approx(std::sqrt(2)));

  auto const many = tensor_of_values({513, 2}, std::vector<double>(1026, 1));
  CHECK(support::says(support::refusal([&] { (void)tangent_kernel_of(student, many); }), "1 to 512"));
}

TEST_CASE("every diagnostic equals the oracle's to 1e-9") {
  for (std::string const name : {"mlp", "resnet8_w4_bn_train"}) {
    auto const file = oracle::folder() / ("methods_" + name + ".safetensors");
    if (!std::filesystem::exists(file)) return skip("the oracle's files of other methods are not here");
    CAPTURE(name);
    oracle::reference<double> r(name);
    auto const expected = io::safetensors::open(file);
    auto const number = [&](std::string const& of) { return doctest::Approx(expected.read<double>(of).front()).epsilon(1e-9); };
    auto const norm = r.student.freeze(std::span<array const>(&r.input, 1));

    CHECK(learning_gap_of(r.student, unlabelled_batch{r.input}, teacher(r.teacher), norm) == number("gap.feature_gap"));
    CHECK(squared_distance(r.student, r.teacher).value() == number("gap.distance"));
    auto const linear = linear_gap_of(r.student, r.teacher, r.input, norm);
    CHECK(largest_difference(values_of(linear.moved), expected.read<double>("gap.linear")) < 1e-9);
    CHECK(linear.relative_error == number("gap.relative_error"));

    auto const kernel = tangent_kernel_of(r.student, rows(r.input, 0, 4), norm);
    CHECK(largest_difference(row_major(kernel.theta), expected.read<double>("ntk.theta")) < 1e-9);
    CHECK(largest_difference(row_major(feature_kernel(kernel)), expected.read<double>("ntk.s")) < 1e-9);

    // Drift among the logits equals drift of s itself.
    auto const other = tangent_kernel_of(r.teacher, rows(r.input, 0, 4));
    auto const s = feature_kernel(kernel);
    CHECK(kernel_drift(kernel, other) == doctest::Approx((feature_kernel(other) - s).norm() / s.norm()).epsilon(1e-7));
  }
}
