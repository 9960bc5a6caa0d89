#pragma once
/// Everything at once.
#include <cstddef>

#include <lnpt/schedule/schedule.hpp>

namespace lnpt::schedule {

/// The final density in every round; with one round, SNIP's and GraSP's way.
struct one_shot {
  [[nodiscard]] density operator()(std::size_t t, std::size_t rounds, density last) const {
    static_cast<void>(detail::progress(t, rounds));
    return last;
  }
};

}  // namespace lnpt::schedule
