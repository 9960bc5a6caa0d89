#pragma once
/// Schedules: how dense the network is after each round of iterative pruning.
#include <concepts>
#include <cstddef>

#include <lnpt/core/budget.hpp>
#include <lnpt/core/error.hpp>

namespace lnpt {

/// A callable (t, T, final density) that gives the density after round t of T, counted from 1: never rising, and the final one,
/// exactly, after the last.
template <class Schedule>
concept pruning_schedule = std::semiregular<Schedule> && requires(Schedule const& schedule, std::size_t t, density last) {
  { schedule(t, t, last) } -> std::same_as<density>;
};

namespace detail {

/// t/T, after a look at both.
[[nodiscard]] inline double progress(std::size_t t, std::size_t rounds) {
  if (t == 0 || t > rounds) fail("there is no round ", t, " of ", rounds, ": rounds count from 1 up to their number");
  return static_cast<double>(t) / static_cast<double>(rounds);
}

}  // namespace detail
}  // namespace lnpt
