/// Activation functions against what a reader knows of them, and their derivatives against central differences.
#include "support.hpp"

#include <functional>
#include <limits>

#include <lnpt/backend/cpu/activation.hpp>
#include <lnpt/backend/cpu/prelu.hpp>

using namespace lnpt;
using namespace lnpt::test;

namespace {

struct known {
  char const* name;
  activation_function function;
  std::function<double(double)> value;
};

std::vector<known> functions() {
  using f = activation_function;
  using enum activation_kind;
  auto const sigma = [](double x) { return 1 / (1 + std::exp(-x)); };
  auto const normal = [](double x) { return (1 + std::erf(x / std::sqrt(2))) / 2; };
  auto const hard = [](double x) { return std::min(std::max(x + 3, 0.0), 6.0) / 6; };
  return {{"hardtanh", f::hardtanh(-0.5, 1.5), [](double x) { return std::min(std::max(x, -0.5), 1.5); }},
          {"leaky_relu", f::leaky_relu(0.1), [](double x) { return x > 0 ? x : 0.1 * x; }},
          {"elu", f::elu(0.7), [](double x) { return x > 0 ? x : 0.7 * (std::exp(x) - 1); }},
          {"silu", {silu}, [=](double x) { return x * sigma(x); }},
          {"sigmoid", {sigmoid}, sigma},
          {"hardswish", {hardswish}, [=](double x) { return x * hard(x); }},
          {"hardsigmoid", {hardsigmoid}, hard},
          {"gelu", {gelu}, [=](double x) { return x * normal(x); }},
          {"gelu_by_tanh",
           {gelu_by_tanh},
           [](double x) { return x / 2 * (1 + std::tanh(0.7978845608028654 * (x + 0.044715 * x * x * x))); }},
          {"tanh", {tanh}, [](double x) { return std::tanh(x); }},
          {"reciprocal", {reciprocal}, [](double x) { return 1 / x; }}};
}

/// Numbers on both sides of every kink and on none of them, enough for several chunks.
template <class T>
cpu::array<T> points() {
  auto x = random_array<T>({2 * cpu::streaming_grain + 77}, 1);
  for (std::size_t i = 0; i < x.size(); ++i) x.data()[i] *= 3;
  return x;
}

template <class T>
T const ones_like(T const& x) {
  return cpu::filled<typename T::value_type>(shape_of(x), 1);
}

}  // namespace

TEST_CASE("ReLU6 and its slope, in the head") {
  auto const x = array_of<float>({5}, {-1, 0, 2, 6, 7}), g = array_of<float>({5}, {1, 2, 3, 4, 5});
  auto const f = activation_function::relu6();
  CHECK(cpu::activate(x, f) == array_of<float>({5}, {0, 0, 2, 6, 6}));
  CHECK(cpu::activation_slope(x, g, f) == array_of<float>({5}, {0, 0, 3, 0, 0}));
  CHECK(f.bounded());
  CHECK_FALSE(f.curved());
  CHECK_FALSE(activation_function::hardtanh(-HUGE_VAL, 1).bounded());
}

TEST_CASE_TEMPLATE("derivatives at kinks, which pruned layers meet, are those of PyTorch 2.15's autograd", T, float, double) {
  using f = activation_function;
  struct kink {
    activation_function function;
    T x, slope, curvature;
  };
  for (auto const& [function, x, slope, curvature] : {kink{f::hardtanh(-0.5, 1.5), T(-0.5), 0, 0},
                                                      {f::hardtanh(-0.5, 1.5), T(1.5), 0, 0},
                                                      {f::leaky_relu(0.1), 0, T(0.1), 0},
                                                      {f::elu(0.7), 0, T(0.7), 0},
                                                      {f::elu(0.7), -T(0), T(0.7), 0},
                                                      {{activation_kind::hardswish}, -3, 0, 0},
                                                      {{activation_kind::hardswish}, 3, 1, 0},
                                                      {{activation_kind::hardsigmoid}, -3, 0, 0},
                                                      {{activation_kind::hardsigmoid}, 3, 0, 0}}) {
    CAPTURE(static_cast<int>(function.kind));
    CAPTURE(x);
    auto const at = cpu::filled<T>({19}, x), one = ones_like(at);  // whole vectors and a rest
    CHECK(cpu::activation_slope(at, one, function) == cpu::filled<T>({19}, slope));
    CHECK(cpu::activation_curvature(at, one, one, function) == cpu::filled<T>({19}, curvature));
  }
}

TEST_CASE_TEMPLATE("values are those of the textbook, NaN included, for any number of threads", T, float, double) {
  for (auto const& each : functions()) {
    CAPTURE(each.name);
    auto const x = points<T>();
    std::vector<double> expected;
    for (auto const v : x) expected.push_back(each.value(double(v)));
    CHECK(relative_error(cpu::activate(x, each.function), expected) < tolerance<T>);
    require_same_bits_for_any_thread_count([&] { return cpu::activate(x, each.function); });
    auto const lost = cpu::filled<T>({19}, std::numeric_limits<T>::quiet_NaN());
    for (auto const v : cpu::activate(lost, each.function)) CHECK(std::isnan(v));
  }
}

TEST_CASE("slopes and curvatures are the derivatives") {
  double const h = 1e-5;
  for (auto const& each : functions()) {
    CAPTURE(each.name);
    auto const x = points<double>(), one = ones_like(x);
    auto const slope = cpu::activation_slope(x, one, each.function);
    auto const curvature = cpu::activation_curvature(x, one, one, each.function);
    auto const ahead = cpu::activation_slope(cpu::array<double>(x + h), one, each.function),
               behind = cpu::activation_slope(cpu::array<double>(x - h), one, each.function);
    for (std::size_t i = 0; i < x.size(); ++i) {
      auto const v = x.data()[i];
      bool const kink =
          std::ranges::any_of(std::vector{-3.0, -0.5, 0.0, 1.5, 3.0}, [&](double k) { return std::abs(v - k) < 2 * h; });
      if (kink || (each.function.kind == activation_kind::reciprocal && std::abs(v) < 0.1)) continue;
      REQUIRE(slope.data()[i] == doctest::Approx((each.value(v + h) - each.value(v - h)) / (2 * h)).epsilon(1e-5).scale(1));
      REQUIRE(curvature.data()[i] == doctest::Approx((ahead.data()[i] - behind.data()[i]) / (2 * h)).epsilon(1e-5).scale(1));
    }
    if (!each.function.curved()) CHECK(curvature == cpu::filled<double>(shape_of(x), 0));
  }
}

TEST_CASE("numbers far beyond float are computed as what they are") {
  auto const x = array_of<float>({2}, {1, 0.5}), g = array_of<float>({2}, {2, 2});
  activation_function const silu{activation_kind::silu}, sigmoid{activation_kind::sigmoid};
  CHECK(cpu::activate_scaled(x, 400, silu, 400) == x);  // x σ(x) = x where σ is 1
  CHECK(cpu::activate_scaled(x, 400, sigmoid, 0) == cpu::filled<float>({2}, 1));
  CHECK(cpu::activation_slope_scaled(x, 400, g, silu) == g);
  CHECK(cpu::activate_scaled(x, 0, silu, 0) == cpu::activate(x, silu));
  CHECK_THROWS_WITH_AS((void)cpu::activate_scaled(x, 1000, silu, 0), doctest::Contains("smaller weights"), lnpt::error);
}

TEST_CASE("a learnt slope below zero, for all channels or for each") {
  auto const x = array_of<double>({2, 1, 1, 3}, {-1, 2, -3, -4, 5, 0}), g = array_of<double>({2, 1, 1, 3}, {1, 1, 1, 10, 10, 10});
  auto const one = array_of<double>({1}, {0.5}), each = array_of<double>({2}, {0.5, 2});
  CHECK(cpu::prelu(x, x, one) == array_of<double>({2, 1, 1, 3}, {-0.5, 2, -1.5, -2, 5, 0}));
  CHECK(cpu::prelu(x, x, each) == array_of<double>({2, 1, 1, 3}, {-0.5, 2, -1.5, -8, 5, 0}));
  cpu::array<double> sums;
  cpu::prelu_sums(x, x, g, {2}, sums, false);
  CHECK(sums == array_of<double>({2}, {-4, -40}));
  cpu::prelu_sums(x, x, g, {2}, sums, true);
  CHECK(sums == array_of<double>({2}, {-8, -80}));
  cpu::prelu_sums(x, x, g, {1}, sums, false);
  CHECK(sums == array_of<double>({1}, {-44}));
  auto const features = array_of<double>({2, 2}, {-1, -1, 3, -2});
  CHECK(cpu::prelu(features, features, each) == array_of<double>({2, 2}, {-0.5, -2, 3, -4}));
  CHECK_THROWS_WITH_AS((void)cpu::prelu(x, x, array_of<double>({3}, {1, 1, 1})), doctest::Contains("one per channel"),
                       lnpt::error);
}
