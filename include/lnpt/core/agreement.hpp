#pragma once
/// How often decisions are those expected.
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>

namespace lnpt {

/// How many of the classes decided for, one per sample, are those expected of the same samples.
[[nodiscard]] constexpr std::size_t count_agreeing(auto const& decided, auto const& expected) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < decided.size(); ++i) count += decided[i] == expected[i];
  return count;
}

/// Agreement beyond chance of two deciders on the same samples, Cohen's κ:
///
///     κ = (p − e) / (1 − e),      p the share of equal decisions,  e = Σ_c p_1(c) p_2(c) that of independent ones
///
/// 0 where both always decide for the same class, which says nothing. Cohen 1960, Educational and Psychological Measurement 20.
[[nodiscard]] inline double cohens_kappa(std::span<std::int64_t const> first, std::span<std::int64_t const> second) {
  auto const n = static_cast<double>(first.size());
  std::map<std::int64_t, double> share;
  for (auto const each : first) share[each] += 1 / n;
  double by_chance = 0;
  for (auto const each : second)
    if (auto const found = share.find(each); found != share.end()) by_chance += found->second / n;
  auto const equal = static_cast<double>(count_agreeing(first, second)) / n;
  return by_chance > 1 - 1 / n ? 0 : (equal - by_chance) / (1 - by_chance);
}

}  // namespace lnpt
