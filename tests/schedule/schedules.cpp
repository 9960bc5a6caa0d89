#include <doctest/doctest.h>

#include <cstddef>
#include <string>
#include <vector>

#include <lnpt/core/budget.hpp>
#include <lnpt/core/error.hpp>
#include <lnpt/schedule/cubic.hpp>
#include <lnpt/schedule/exponential.hpp>
#include <lnpt/schedule/linear.hpp>
#include <lnpt/schedule/one_shot.hpp>

using lnpt::density;

TEST_CASE("half-way, each schedule is where its formula says") {
  CHECK(lnpt::schedule::one_shot{}(1, 2, density{0.04}).value() == 0.04);
  CHECK(lnpt::schedule::linear{}(1, 2, density{0.04}).value() == doctest::Approx(0.52));      // 1 − 0.96/2
  CHECK(lnpt::schedule::exponential{}(1, 2, density{0.04}).value() == doctest::Approx(0.2));  // √0.04
  CHECK(lnpt::schedule::cubic{}(1, 2, density{0.2}).value() == doctest::Approx(0.3));         // 1 − 0.8·(1 − 1/8)
}

TEST_CASE_TEMPLATE("densities never rise and end exactly at the final one", Schedule, lnpt::schedule::one_shot,
                   lnpt::schedule::linear, lnpt::schedule::exponential, lnpt::schedule::cubic) {
  static_assert(lnpt::pruning_schedule<Schedule>);
  for (double const final_density : {0.0, 0.02, 0.05, 0.3, 1.0 / 3.0, 1.0}) {
    for (auto const rounds : std::vector<std::size_t>{1, 2, 3, 7, 100}) {
      auto before = 1.0;
      for (std::size_t t = 1; t <= rounds; ++t) {
        auto const now = Schedule{}(t, rounds, density{final_density}).value();
        CHECK(now <= before);
        before = now;
      }
      CHECK(before == final_density);
    }
  }
}

TEST_CASE_TEMPLATE("rounds outside of 1 to T are refused", Schedule, lnpt::schedule::one_shot, lnpt::schedule::linear,
                   lnpt::schedule::exponential, lnpt::schedule::cubic) {
  CHECK_THROWS_WITH_AS(static_cast<void>(Schedule{}(0, 3, density{0.5})),
                       "there is no round 0 of 3: rounds count from 1 up to their number", lnpt::error);
  CHECK_THROWS_AS(static_cast<void>(Schedule{}(4, 3, density{0.5})), lnpt::error);
  CHECK_THROWS_AS(static_cast<void>(Schedule{}(1, 0, density{0.5})), lnpt::error);
}
