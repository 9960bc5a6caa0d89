/// Elementwise passes, sums and the masked step.
#include "support.hpp"

#include <limits>

#include <lnpt/backend/cpu/elementwise.hpp>
#include <lnpt/backend/cpu/sgd.hpp>

using namespace lnpt;
using namespace lnpt::test;

TEST_CASE("sums, rectified or not") {
  auto const x = array_of<float>({4}, {1, -2, 3, -4}), y = array_of<float>({4}, {1, 1, 1, 5});
  CHECK(cpu::add(x, y) == array_of<float>({4}, {2, -1, 4, 1}));
  CHECK(cpu::add(x, y, true) == array_of<float>({4}, {2, 0, 4, 1}));
  CHECK(cpu::relu(x) == array_of<float>({4}, {1, 0, 3, 0}));
  CHECK(cpu::gate(x, y) == array_of<float>({4}, {1, 0, 1, 0}));
  CHECK(cpu::scale(x, 2.0F) == array_of<float>({4}, {2, -4, 6, -8}));
  CHECK(cpu::multiply(x, y) == array_of<float>({4}, {1, -2, 3, -20}));
}

TEST_CASE("a NaN stays visible through a rectifier") {
  auto const nan = array_of<float>({1}, {std::numeric_limits<float>::quiet_NaN()}), zero = cpu::filled<float>({1}, 0);
  CHECK(std::isnan(cpu::relu(nan).data()[0]));
  CHECK(std::isnan(cpu::add(nan, zero, true).data()[0]));
}

TEST_CASE_TEMPLATE("long arrays are treated like short ones, across all chunks", T, float, double) {
  constexpr std::size_t past = (std::size_t{2} << 20) / sizeof(T) + 5;
  static_assert(cpu::past_caches<T>(past) == cpu::stores_past_caches && !cpu::past_caches<T>(past - 6));
  for (std::size_t const n : {std::size_t{1}, std::size_t{17}, cpu::streaming_grain, 3 * cpu::streaming_grain + 5, past}) {
    CAPTURE(n);
    auto const x = random_array<T>({n}, 1), y = random_array<T>({n}, 2);
    std::vector<double> sum(n), gated(n);
    for (std::size_t i = 0; i < n; ++i) {
      sum[i] = std::max(0.0, static_cast<double>(x.data()[i] + y.data()[i]));
      gated[i] = x.data()[i] > 0 ? double(y.data()[i]) : 0;
    }
    CHECK(relative_error(cpu::add(x, y, true), sum) == 0);
    CHECK(relative_error(cpu::gate(x, y), gated) == 0);
  }
}

TEST_CASE("a step by hand: momentum, decay and a pruned weight") {
  // v = 0.5·2 + (1 + 0.1·10) = 3, w = 10 − 0.2·3 = 9.4; the second weight is pruned, whatever its gradient.
  auto w = array_of<double>({2}, {10, -7}), v = array_of<double>({2}, {2, 5});
  auto const g = array_of<double>({2}, {1, std::numeric_limits<double>::quiet_NaN()});
  std::vector<std::uint64_t> const keep{0b01};
  cpu::sgd_step(w, g, v, keep, {.learning_rate = 0.2, .momentum = 0.5, .weight_decay = 0.1});
  CHECK(w.data()[0] == doctest::Approx(9.4));
  CHECK(v.data()[0] == doctest::Approx(3));
  CHECK(same_bits(array_of<double>({2}, {w.data()[1], v.data()[1]}), cpu::filled<double>({2}, 0.0)));
}

TEST_CASE_TEMPLATE("a masked step moves kept weights as a dense one does and leaves +0.0 elsewhere", T, float, double) {
  for (std::size_t const n :
       {std::size_t{1}, std::size_t{63}, std::size_t{64}, std::size_t{65}, 2 * cpu::streaming_grain + 100}) {
    CAPTURE(n);
    auto const w = random_array<T>({n}, 1), g = random_array<T>({n}, 2), v = random_array<T>({n}, 3);
    std::vector<std::uint64_t> keep(cpu::chunk_count(n, 64));
    std::mt19937_64 random(4);
    for (auto& word : keep) word = random();
    sgd_constants const constants{.learning_rate = 0.1, .momentum = 0.9, .weight_decay = 5e-4};
    auto dense = w, dense_v = v, masked = w, masked_v = v;
    cpu::sgd_step(dense, g, dense_v, {}, constants);
    cpu::sgd_step(masked, g, masked_v, keep, constants);
    auto expected = dense, expected_v = dense_v;
    for (std::size_t i = 0; i < n; ++i)
      if (!((keep[i / 64] >> (i % 64)) & 1)) expected.data()[i] = expected_v.data()[i] = T{0};
    CHECK(relative_error(masked, expected) < tolerance<T>);
    CHECK(relative_error(masked_v, expected_v) < tolerance<T>);
    for (std::size_t i = 0; i < n; ++i)
      if (expected.data()[i] == 0) REQUIRE((masked.data()[i] == 0 && !std::signbit(masked.data()[i])));
  }
}

TEST_CASE("arrays that do not match are refused in words") {
  auto const x = cpu::filled<float>({2}, 0), y = cpu::filled<float>({3}, 0);
  CHECK_THROWS_WITH_AS((void)cpu::add(x, y), doctest::Contains("pass two of the same shape"), lnpt::error);
  auto w = cpu::filled<float>({65}, 0), v = w;
  std::vector<std::uint64_t> const keep{1};
  CHECK_THROWS_WITH_AS(cpu::sgd_step(w, w, v, keep, {}), doctest::Contains("one word per 64 weights"), lnpt::error);
}
