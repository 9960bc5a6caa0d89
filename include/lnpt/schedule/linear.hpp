#pragma once
/// The same number of weights in every round.
#include <cstddef>

#include <lnpt/schedule/schedule.hpp>

namespace lnpt::schedule {

/// d_t = 1 − (1 − d)·t/T
struct linear {
  [[nodiscard]] density operator()(std::size_t t, std::size_t rounds, density last) const {
    auto const x = detail::progress(t, rounds);
    return x == 1.0 ? last : density{1.0 - (1.0 - last.value()) * x};
  }
};

}  // namespace lnpt::schedule
