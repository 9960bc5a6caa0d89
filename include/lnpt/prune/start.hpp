#pragma once
/// Pruning that goes on from masks that are there already.
#include <algorithm>
#include <cmath>
#include <cstddef>

#include <lnpt/core/budget.hpp>
#include <lnpt/core/error.hpp>
#include <lnpt/mask/mask_set.hpp>
#include <lnpt/score.hpp>

namespace lnpt::detail {

/// The share of the scored weights that the masks keep; refuses masks that keep fewer than are to stay.
template <class T>
[[nodiscard]] double kept_share(mask_set const& masks, score_set<T> const& scores, density keep) {
  std::size_t total = 0;
  std::size_t kept = 0;
  for (auto const& each : scores.parameters) {
    auto const* const found = masks.find(each.name);
    total += size_of(each.values);
    kept += found == nullptr ? size_of(each.values) : found->count();
  }
  if (kept < kept_count(keep, total))
    fail_request("what pruning starts from keeps ", kept, " of ", total, " weights, fewer than the ", kept_count(keep, total),
                 " that are to stay: ask for a higher sparsity");
  return total == 0 ? 1.0 : static_cast<double>(kept) / static_cast<double>(total);
}

/// The density of round t of `rounds`: as the schedule goes from 1 to `last`, here from `first` to `last`.
template <class Schedule>
[[nodiscard]] density density_of_round(int t, int rounds, double first, density last) {
  auto const round = static_cast<std::size_t>(t);
  auto const all = static_cast<std::size_t>(rounds);
  if (t == rounds) {
    if (auto const end = Schedule{}(round, all, last); std::abs(end.value() - last.value()) > 1e-9)
      fail("the schedule ends at a density of ", end.value(), " where ", last.value(),
           " was asked for: it must return the density that it is given after the last round");
    return last;
  }
  if (first == 1.0 || first == 0.0) return Schedule{}(round, all, last);
  auto const share = Schedule{}(round, all, density{std::min(1.0, last.value() / first)});
  return density{first * share.value()};
}

}  // namespace lnpt::detail
