#include <doctest/doctest.h>

#include <concepts>
#include <cstddef>
#include <limits>
#include <string>

#include <lnpt/core/budget.hpp>

using lnpt::channels;
using lnpt::density;
using lnpt::kept_count;
using lnpt::sparsity;

TEST_CASE("a density of one half keeps one of two weights, and the second of three") {
  CHECK(kept_count(density{0.5}, 2) == 1);
  CHECK(kept_count(density{0.5}, 3) == 2);
  CHECK(kept_count(density{0.25}, 3) == 1);
  CHECK(kept_count(density{0.0}, 3) == 0);
  CHECK(kept_count(density{1.0}, 3) == 3);
  CHECK(kept_count(density{0.5}, 0) == 0);
}

TEST_CASE("sparsity and density name the same network") {
  CHECK(density{sparsity{0.75}}.value() == 0.25);
  CHECK(sparsity{density{0.25}}.value() == 0.75);
  CHECK(lnpt::density_of(sparsity{0.75}).value() == 0.25);
  CHECK(lnpt::density_of(channels{0.75}).value() == 0.25);
  CHECK(lnpt::density_of(lnpt::fixed_ratio{}).value() == 1.0);
}

TEST_CASE("a half that binary fractions miss is still a half: 5 % of 10, 30, 50 … weights, however it is written") {
  for (std::size_t total = 10; total < 2'000'000; total = total * 3 + 20) {
    auto const exact = (total * 5 + 50) / 100;
    CHECK(kept_count(density{0.05}, total) == exact);
    CHECK(kept_count(sparsity{0.95}, total) == exact);
    CHECK(kept_count(density{sparsity{density{sparsity{0.95}}}}, total) == exact);
  }
}

TEST_CASE("weights that stay in any case count within the ratio") {
  CHECK(kept_count(density{0.5}, 90, {10, 10}) == 40);
  CHECK(kept_count(density{0.1}, 90, {10, 10}) == 0);
  CHECK(kept_count(density{0.5}, 80, {20, 10}) == 40);  // ten of them went before
  CHECK(kept_count(density{0.5}, 90, {}) == kept_count(density{0.5}, 90));
}

TEST_CASE("a ratio that the weights that stay exceed by themselves is refused with one that works") {
  CHECK_THROWS_WITH_AS(static_cast<void>(kept_count(sparsity{0.95}, 200, {100, 100})),
                       "sparsity{0.95} keeps 15 of 300 weights, but the 100 weights that have no score stay in any case: "
                       "ask for sparsity{0.6666} or less, or leave the weights without a score out of the ratio",
                       lnpt::error);
  CHECK(kept_count(sparsity{0.6666}, 200, {100, 100}) == 0);
}

TEST_CASE("ratios outside of [0, 1] are refused by name") {
  CHECK_THROWS_WITH_AS(density{1.5}, "density{1.5} is outside [0, 1]: pass a fraction such as density{0.5}", lnpt::error);
  CHECK_THROWS_WITH_AS(sparsity{95}, "sparsity{95} is outside [0, 1]: pass a fraction such as sparsity{0.5}", lnpt::error);
  CHECK_THROWS_WITH_AS(channels{-0.1}, "channels{-0.1} is outside [0, 1]: pass a fraction such as channels{0.5}", lnpt::error);
  CHECK_THROWS_AS(density{std::numeric_limits<double>::quiet_NaN()}, lnpt::error);
}

TEST_CASE("budgets convert where they mean the same and nowhere else") {
  static_assert(std::convertible_to<density, sparsity> && std::convertible_to<sparsity, density>);
  static_assert(!std::convertible_to<channels, sparsity> && !std::convertible_to<sparsity, channels>);
  static_assert(!std::convertible_to<double, density>);
}
