/// Sums per channel and combinations against naive loops.
#include "support.hpp"

#include <lnpt/backend/cpu/channels.hpp>

using namespace lnpt;
using namespace lnpt::test;

namespace {
/// Runs shorter than a vector, odd ones, and runs of several chunks; the last image is written past the caches, from odd places on.
std::vector<shape> shapes() {
  return {{1, 1, 1, 1}, {3, 2, 1, 5}, {5, 7, 3, 3}, {2, 9, 16, 16}, {3, 33, 32, 32}, {3, 209, 29, 29}};
}
}  // namespace

TEST_CASE("sums per channel, and what a gate lets through") {
  auto const g = array_of<float>({2, 1, 1, 3}, {1, 2, 3, 4, 5, 6}), x = array_of<float>({2, 1, 1, 3}, {1, 10, 100, 1, 1, 1});
  auto const gate = array_of<float>({2, 1, 1, 3}, {1, 0, 2, -1, 3, 0});
  CHECK(cpu::channel_sum(g) == std::vector<double>{6, 15});
  CHECK(cpu::channel_sums(g, x).dot == std::vector<double>{321, 15});
  CHECK(cpu::channel_sums(g, x, &gate).sum == std::vector<double>{4, 5});
  CHECK(cpu::channel_sums(g, x, &gate).dot == std::vector<double>{301, 5});
}

TEST_CASE("a combination scales every channel by its own coefficient") {
  auto const x = array_of<float>({2, 1, 1, 2}, {1, -2, 3, 4});
  std::vector<double> const scale{2, -1}, shift{1, 3.5};
  cpu::term<float> const terms[] = {{&x, &scale}};
  CHECK(cpu::channel_combination<float>(terms, &shift) == array_of<float>({2, 1, 1, 2}, {3, -3, 0.5F, -0.5F}));
  CHECK(cpu::channel_combination<float>(terms, &shift, nullptr, true) == array_of<float>({2, 1, 1, 2}, {3, 0, 0.5F, 0}));
}

TEST_CASE_TEMPLATE("sums are what naive loops in double say", T, float, double) {
  for (auto const& extents : shapes()) {
    CAPTURE(list(extents));
    auto const g = random_array<T>(extents, 1, 2), x = random_array<T>(extents, 2, -1), gate = random_array<T>(extents, 3);
    auto const run = g.size() / extents[0];
    for (bool const gated : {false, true}) {
      std::vector<double> sum(extents[0]), dot(extents[0]);
      for (std::size_t i = 0; i < g.size(); ++i)
        if (!gated || gate.data()[i] > 0) {
          sum[i / run] += double(g.data()[i]);
          dot[i / run] += double(g.data()[i]) * double(x.data()[i]);
        }
      auto const actual = cpu::channel_sums(g, x, gated ? &gate : nullptr);
      CHECK(relative_error(actual.sum, sum) < 1e-13);
      CHECK(relative_error(actual.dot, dot) < 1e-13);
      if (!gated) CHECK(relative_error(cpu::channel_sum(g), sum) < 1e-13);
    }
  }
}

TEST_CASE("a variance of values ten deviations from zero keeps six digits in float") {
  auto const x = random_array<float>({4, 50, 16, 16}, 7, 10);
  auto const actual = cpu::channel_sums(x, x);
  std::size_t const n = 50 * 16 * 16;
  for (std::size_t c = 0; c < 4; ++c) {
    long double mean = 0, variance = 0;
    for (std::size_t i = 0; i < n; ++i) mean += x.data()[c * n + i];
    mean /= n;
    for (std::size_t i = 0; i < n; ++i) variance += (x.data()[c * n + i] - mean) * (x.data()[c * n + i] - mean);
    auto const m = actual.sum[c] / n;
    CHECK(actual.dot[c] / n - m * m == doctest::Approx(static_cast<double>(variance / n)).epsilon(1e-9));
  }
}

TEST_CASE_TEMPLATE("combinations are what naive loops say, for every number of terms, gate and rectifier", T, float, double) {
  for (auto const& extents : shapes()) {
    std::vector<cpu::array<T>> images;
    std::vector<std::vector<double>> coefficients;
    for (unsigned j = 0; j < 4; ++j) {
      images.push_back(random_array<T>(extents, j));
      coefficients.push_back(as_doubles(random_array<double>({extents[0]}, 10 + j)));
    }
    auto const gate = random_array<T>(extents, 20);
    auto const constant = as_doubles(random_array<double>({extents[0]}, 30));
    auto const run = gate.size() / extents[0];
    for (std::size_t count = 1; count <= 4; ++count)
      for (unsigned gated = 0; gated < (1U << count); ++gated)
        for (unsigned flags = 0; flags < 8; ++flags) {
          bool const rectify = flags & 1, gate_all = flags & 2, shifted = flags & 4;
          if (rectify && gate_all) continue;
          INFO(list(extents), ", ", count, " terms, gated ", gated, ", flags ", flags);
          std::vector<cpu::term<T>> terms;
          for (std::size_t j = 0; j < count; ++j) terms.push_back({&images[j], &coefficients[j], ((gated >> j) & 1) != 0});
          std::vector<double> expected(gate.size());
          for (std::size_t i = 0; i < expected.size(); ++i) {
            bool const open = gate.data()[i] > 0;
            double value = shifted ? constant[i / run] : 0;
            for (auto const& t : terms)
              if (open || !t.gated) value += (*t.coefficient)[i / run] * double(t.values->data()[i]);
            expected[i] = (rectify && value < 0) || (gate_all && !open) ? 0 : value;
          }
          auto const actual = cpu::channel_combination<T>(terms, shifted ? &constant : nullptr, &gate, rectify, gate_all);
          REQUIRE(relative_error(actual, expected) < tolerance<T>);
        }
  }
}

TEST_CASE("what does not belong together is refused in words") {
  auto const x = cpu::filled<float>({2, 1, 1, 1}, 0), y = cpu::filled<float>({3, 1, 1, 1}, 0);
  std::vector<double> const two{1, 1}, three{1, 1, 1};
  cpu::term<float> const gated[] = {{&x, &two, true}}, narrow[] = {{&x, &three}};
  CHECK_THROWS_WITH_AS((void)cpu::channel_sums(x, y), doctest::Contains("of one shape"), lnpt::error);
  CHECK_THROWS_WITH_AS((void)cpu::channel_combination<float>(gated), doctest::Contains("pass the gate"), lnpt::error);
  CHECK_THROWS_WITH_AS((void)cpu::channel_combination<float>(narrow), doctest::Contains("one coefficient per channel"),
                       lnpt::error);
  CHECK_THROWS_WITH_AS((void)cpu::channel_combination<float>({}), doctest::Contains("pass one to four"), lnpt::error);
}
