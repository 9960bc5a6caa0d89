/// Random numbers by counter.
#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <lnpt/core/random.hpp>
#include <set>

TEST_CASE("a draw is a pure function of seed and counter") {
  static_assert(lnpt::random_bits(1, 2, 3, 4) == lnpt::random_bits(1, 2, 3, 4));
  // The first output of SplitMix64 for seed 0, as its authors publish it, is the state before any counter enters.
  static_assert(lnpt::detail::mix_bits(lnpt::detail::golden_gamma) == 0xe220a8397b1dcdafu);
  std::set<std::uint64_t> seen;
  for (std::uint64_t seed = 0; seed != 4; ++seed)
    for (std::uint64_t a = 0; a != 16; ++a)
      for (std::uint64_t b = 0; b != 16; ++b)
        for (std::uint64_t c = 0; c != 16; ++c) seen.insert(lnpt::random_bits(seed, a, b, c));
  CHECK(seen.size() == 4 * 16 * 16 * 16);  // swapped counters and neighbouring seeds give other numbers
}

TEST_CASE("each bit is set in half of the draws") {
  constexpr int draws = 20000;
  std::array<int, 64> set{};
  for (std::uint64_t i = 0; i != draws; ++i)
    for (std::size_t bit = 0; bit != 64; ++bit) set[bit] += static_cast<int>((lnpt::random_bits(9, i) >> bit) & 1);
  for (auto const count : set) CHECK(std::abs(count - draws / 2) < 5 * std::sqrt(draws) / 2);
}

TEST_CASE("uniform numbers have the mean and variance of [0, 1)") {
  double sum = 0, squares = 0;
  constexpr int draws = 100000;
  for (std::uint64_t i = 0; i != draws; ++i) {
    auto const u = lnpt::uniform(3, i);
    REQUIRE((u >= 0 && u < 1));
    sum += u;
    squares += u * u;
  }
  CHECK(sum / draws == doctest::Approx(0.5).epsilon(0.01));
  CHECK(squares / draws == doctest::Approx(1.0 / 3).epsilon(0.01));
}

TEST_CASE("numbers below a bound cover it evenly") {
  std::array<int, 7> count{};
  for (std::uint64_t i = 0; i != 70000; ++i) ++count.at(lnpt::random_below(7, lnpt::random_bits(1, 2, i)));
  for (auto const each : count) CHECK(std::abs(each - 10000) < 500);
  CHECK(lnpt::random_below(7, ~std::uint64_t{0}) == 6);
}

TEST_CASE("signs and normal numbers have their moments") {
  int signs = 0;
  double sum = 0, squares = 0, product = 0;
  constexpr int draws = 50000;
  for (std::uint64_t i = 0; i != draws; ++i) {
    signs += lnpt::rademacher(4, i);
    auto const [x, y] = lnpt::normal(5, i);
    sum += x + y;
    squares += x * x + y * y;
    product += x * y;
  }
  CHECK(std::abs(signs) < 5 * std::sqrt(draws));
  CHECK(std::abs(sum) / (2 * draws) < 5 / std::sqrt(2.0 * draws));
  CHECK(squares / (2 * draws) == doctest::Approx(1).epsilon(0.02));
  CHECK(std::abs(product) / draws < 5 / std::sqrt(static_cast<double>(draws)));
}
