/// Convolutions in fp32, tf32 and bf16: their numbers, the engines they run on, and the devices that have none.
#include <algorithm>
#include <cmath>
#include <string>
#include <tuple>
#include <vector>

#include <lnpt/backend/cudnn/backend.hpp>

#include "../conv_case.hpp"
#include "../rounding.hpp"
#include "device.hpp"
#include <lnpt/core/random.hpp>

using namespace lnpt;
using cudnn::plan_choice;
using cudnn::precision;

namespace {

using device = cudnn::backend<float>;
using rounding = test::rounding_backend;

/// A precision and plans that are in use until the end of the scope.
struct in_use {
  explicit in_use(precision how, plan_choice plans = plan_choice::first) {
    cudnn::use_precision(how);
    cudnn::use_plans(plans);
  }
  in_use(in_use const&) = delete;
  in_use& operator=(in_use const&) = delete;
  ~in_use() {
    cudnn::use_precision(precision::fp32);
    cudnn::use_plans(plan_choice::first);
  }
};

/// A convolution that leaves no axis like another.
test::conv_case const plain{3, 2, 5, 6, 4, {.kernel = {3, 2}, .padding = {1, 0, 2, 1}}};

/// One convolution's operands as floats, drawn once.
struct drawn {
  test::conv_case of;
  std::vector<float> x = draw(of.x(), 1), w = draw(of.weights(), 2), gy = draw(of.y(), 3);

  static std::vector<float> draw(shape const& extents, std::uint64_t seed) {
    std::vector<float> values(element_count(extents));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(normal(seed, i).first);
    return values;
  }
};

template <class Backend>
std::vector<std::vector<double>> triple_of(drawn const& from) {
  using array = typename Backend::array;
  auto const& c = from.of;
  auto const there = [](shape const& extents, std::vector<float> const& values) {
    return make_tensor<array>(extents, std::vector<value_type<array>>(values.begin(), values.end()), array{});
  };
  auto const x = there(c.x(), from.x);
  auto const w = there(c.weights(), from.w);
  auto const gy = there(c.y(), from.gy);
  array y;
  array gx;
  array gw;
  array squares;
  Backend::conv2d(x, w, c.geometry, y, false);
  Backend::conv2d_input_gradient(gy, w, c.geometry, c.x(), gx, false);
  Backend::conv2d_weight_gradient(x, gy, c.geometry, c.weights(), gw, false);
  Backend::conv2d_weight_gradient(x, gy, c.geometry, c.weights(), gw, true);
  Backend::conv2d_weight_gradient_squares(x, gy, c.geometry, c.weights(), squares, false);
  std::vector<std::vector<double>> all;
  for (auto const* each : {&y, &gx, &gw, &squares}) {
    auto const values = values_of(*each);
    all.emplace_back(values.begin(), values.end());
  }
  return all;
}

/// ‖a − b‖/‖b‖
double relative_error(std::vector<double> const& a, std::vector<double> const& b) {
  double difference = 0;
  double size = 0;
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference += (a[i] - b[i]) * (a[i] - b[i]);
    size += b[i] * b[i];
  }
  return std::sqrt(difference / size);
}

/// A precision and what it rounds: operands and results, to bits of mantissa.
struct expectation {
  precision how;
  int operands, results;
  double on_gpu;  ///< a GPU may cut operands off instead of rounding them, and sums in float
};
std::vector<expectation> const expectations{
    {precision::fp32, 23, 23, 1e-6}, {precision::tf32, 10, 23, 2e-3}, {precision::bf16, 7, 7, 8e-3}};

/// The number of the double's engine that a convolution takes.
long engine_taken() {
  (void)triple_of<device>({plain});
  return tally("engine");
}

}  // namespace

TEST_CASE("bf16 by hand: 1 + 2^-8 is a tie that goes to 1, and (1 + 2^-7)² loses its 2^-14") {
  if (!device_is_here()) return;
  in_use const bf16(precision::bf16);
  cpu::conv_geometry const one{};
  auto const product = [&](float x, float w) {
    device::array y;
    device::conv2d(make_tensor<device::array>({1, 1, 1, 1}, std::vector{x}, {}),
                   make_tensor<device::array>({1, 1, 1, 1}, std::vector{w}, {}), one, y, false);
    return values_of(y).front();
  };
  CHECK(product(1 + 0x1p-8F, 1) == 1);
  CHECK(product(1 + 0x3p-8F, 1) == 1 + 0x1p-6F);
  CHECK(product(1 + 0x1p-7F, 1 + 0x1p-7F) == 1 + 0x1p-6F);
  CHECK(std::isnan(product(NAN, 1)));
  CHECK(std::isinf(product(3.4e38F, 1)));
}

TEST_CASE("convolutions in each precision are the CPU engine's on operands rounded alike") {
  if (!device_is_here()) return;
  std::vector<test::conv_case> const cases{
      plain,
      {4, 3, 7, 5, 6, {.kernel = 3, .stride = {2, 1}, .padding = 1, .groups = 2}},
      {6, 2, 4, 9, 6, {.kernel = {3, 3}, .padding = 2, .dilation = 2, .groups = 6}},
      {40, 2, 6, 7, 35, {}},
  };
  for (auto const& each : cases)
    for (auto const& expected : expectations) {
      CAPTURE(each);
      CAPTURE(expected.operands);
      drawn const from{each};
      in_use const now(expected.how);
      rounding::round(expected.operands, 23, expected.results);
      auto const found = triple_of<device>(from);
      auto const ours = triple_of<rounding>(from);
      for (std::size_t i = 0; i < found.size(); ++i) {
        CAPTURE(i);
        CHECK(relative_error(found[i], ours[i]) <= (on_double() ? 1e-6 : expected.on_gpu));
      }
      if (expected.how == precision::fp32) continue;
      rounding::round(52, 52, 52);
      auto const exact = triple_of<rounding>(from);
      for (std::size_t i = 0; i < found.size(); ++i) CHECK(relative_error(found[i], exact[i]) > 1e-5);
    }
}

TEST_CASE(
    "fp32 takes no engine with tensor cores, none takes one that rounds more than was asked for, and the fastest is timed") {
  if (!device_is_here() || !on_double()) return;
  // The double offers: 0 converts down, 1 sums in bf16, 2 is not deterministic, 3 and 5 have tensor cores, 4 and 6 none; 5 and 6 are
  // faster than 3 and 4, and 2 is the fastest of all that may be taken.
  for (auto const& [how, first, fastest] :
       {std::tuple{precision::fp32, 4L, 6L}, {precision::tf32, 3L, 2L}, {precision::bf16, 3L, 2L}}) {
    CAPTURE(static_cast<int>(how));
    {
      in_use const now(how);
      CHECK(engine_taken() == first);
      auto const calls = tally("waits");
      CHECK(engine_taken() == first);
      CHECK(tally("waits") - calls == 4);  // of the four results: plans are chosen without a wait
    }
    in_use const now(how, plan_choice::fastest);
    CHECK(engine_taken() == fastest);
    auto const waits = tally("waits");
    CHECK(engine_taken() == fastest);
    CHECK(tally("waits") - waits == 4);  // timed once
  }
}

TEST_CASE("a device without tensor cores for it refuses a precision, and all is as it was") {
  if (!device_is_here() || !on_double()) return;
  control<void(int)>("cuda_double_architecture")(75);
  std::string said;
  try {
    cudnn::use_precision(precision::bf16);
  } catch (lnpt::error const& e) {
    said = e.what();
  }
  CHECK(said == "CUDA device 0 has compute capability 7.5 and no tensor cores for bf16, which came with 8.0: compute in fp32");
  CHECK_THROWS_AS(cudnn::use_precision(precision::tf32), lnpt::error);
  CHECK_NOTHROW(cudnn::use_precision(precision::fp32));
  CHECK(engine_taken() == 4);
  control<void(int)>("cuda_double_architecture")(90);
}

TEST_CASE("double computes in double whatever the precision") {
  if (!device_is_here()) return;
  in_use const now(precision::bf16);
  drawn const from{plain};
  rounding::round(52, 52, 52);
  auto const found = triple_of<cudnn::backend<double>>(from);
  auto const exact = triple_of<rounding>(from);
  for (std::size_t i = 0; i < found.size(); ++i) CHECK(relative_error(found[i], exact[i]) <= 1e-12);
}

TEST_CASE("every call of a convolution in bf16 that fails is an error, and nothing is leaked") {
  if (!device_is_here() || !on_double()) return;
  drawn const from{plain};
  in_use const now(precision::bf16);
  (void)triple_of<device>(from);  // plans are built once
  auto const bytes = live_bytes();
  auto const objects = tally("live_objects");
  auto const before = tally("calls");
  (void)triple_of<device>(from);
  auto const calls = tally("calls") - before;
  CHECK(calls > 100);
  for (long n = 1; n <= calls; ++n) {
    CAPTURE(n);
    fail_at(n);
    CHECK_THROWS_AS((void)triple_of<device>(from), lnpt::error);
    fail_at(0);
    CHECK(live_bytes() == bytes);
    CHECK(tally("live_objects") == objects);
  }
}

TEST_CASE("a call that fails while plans are timed passes a plan over, or is an error, and the result is right") {
  if (!device_is_here() || !on_double()) return;
  in_use const now(precision::fp32, plan_choice::fastest);
  auto const doubled = [](std::size_t width) {
    device::array y;
    device::conv2d(make_tensor<device::array>({1, 1, 1, width}, std::vector<float>(width, 3), {}),
                   make_tensor<device::array>({1, 1, 1, 1}, std::vector<float>{2}, {}), {}, y, false);
    return y;
  };
  auto const before = tally("calls");
  (void)doubled(1);
  auto const calls = tally("calls") - before;
  long errors = 0;
  for (long n = 1; n <= calls; ++n) {
    CAPTURE(n);
    auto const width = static_cast<std::size_t>(n + 1);  // of which there is no plan yet
    fail_at(n);
    try {
      auto const y = doubled(width);
      fail_at(0);
      CHECK(values_of(y) == std::vector<float>(width, 6));
    } catch (lnpt::error const&) {
      ++errors;
    }
    fail_at(0);
  }
  CHECK(errors > 10);
  CHECK(calls - errors > 10);
}
