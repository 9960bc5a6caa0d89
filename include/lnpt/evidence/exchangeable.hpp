#pragma once
/// Whether a network's weights are exchangeable within their layers, as those of a fresh one are.
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>

#include <lnpt/core/agreement.hpp>
#include <lnpt/core/model_access.hpp>
#include <lnpt/loss/functions.hpp>

namespace lnpt::detail {

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

/// Whether a network is untrained, as far as its decisions show: on the first scoring batch it agrees with its teacher by κ < ½. One forward
/// pass of that batch, in eval mode.
template <class Problem>
[[nodiscard]] bool has_exchangeable_weights(Problem const& problem) {
  auto const& part = problem.parts().front();
  if (!part.teacher_prediction) return false;
  auto const own = prediction_without_trace(problem.model(), *part.input, normalization{norm_mode::eval});
  return cohens_kappa(decided_classes(own.output), decided_classes(part.teacher_prediction->output)) < 0.5;
}

}  // namespace lnpt::detail
