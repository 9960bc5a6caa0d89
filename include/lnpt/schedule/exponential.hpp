#pragma once
/// The same fraction of what is left in every round.
#include <cmath>
#include <cstddef>

#include <lnpt/schedule/schedule.hpp>

namespace lnpt::schedule {

/// d_t = d^(t/T)
///
/// Tanaka, Kunin, Yamins, Ganguli, "Pruning neural networks without any data by iteratively conserving synaptic flow", NeurIPS 2020.
struct exponential {
  [[nodiscard]] density operator()(std::size_t t, std::size_t rounds, density last) const {
    auto const x = detail::progress(t, rounds);
    return x == 1.0 ? last : density{std::pow(last.value(), x)};
  }
};

}  // namespace lnpt::schedule
