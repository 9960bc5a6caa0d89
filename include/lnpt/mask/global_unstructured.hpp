#pragma once
/// One ranking over all scored weights.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include <lnpt/mask/keep_ranked.hpp>

namespace lnpt {

/// Keeps exactly n = ⌊d·N + ½ + 10⁻⁶⌋ of all N scored weights, whichever parameters they are in.
///
/// A parameter with a `layer_floor` φ_p above 0, that of the selection or else its own, is not emptied: of L parameters the p-th, of N_p
/// weights, keeps at least
///
///     1 + ⌊ φ_p · (n − L) · N_p / N ⌋
///
/// of them, its best, or all it has. Since these together are no more than n for Σ φ_p N_p ≤ N, as for any φ_p ≤ 1, n is exact as ever; an n that is
/// below them is refused.
///
/// Where a criterion ranks the weights of a parameter among themselves (`scored_parameter::within`), the ranking of all says how many each
/// parameter keeps, and its own which.
struct global_unstructured {
  using budget = sparsity;
  static constexpr bool keeps_layer_floor = true;
  static constexpr bool ranks_within_layers = true;

  template <class T>
  [[nodiscard]] mask_set operator()(std::span<scored_parameter<T> const> parameters, selection const& wanted) const {
    mask_set masks;
    auto ranked = weight_ranking(parameters, wanted, masks);
    if (std::ranges::any_of(parameters, &scored_parameter<T>::ranks_itself))
      ranked.decided_by_position = nullptr;  // this ranking decides how many stay, and not which
    std::size_t total = 0;
    for (auto const& parameter : parameters) total += parameter.scores.size();
    auto const n = kept_count(wanted.keep, total, wanted.already_kept);
    keep_ranked(ranked, n, minima(parameters, wanted, n, total), wanted.end);
    for (std::size_t p = 0; p < parameters.size(); ++p)
      if (parameters[p].ranks_itself()) exchange(ranked.part(p), parameters[p], wanted);
    return masks;
  }

 private:
  /// As many weights of a part as are kept, by their ranking among themselves.
  template <class T>
  static void exchange(ranking<T> part, scored_parameter<T> const& parameter, selection const& wanted) {
    if (parameter.within.size() != parameter.scores.size())
      fail(parameter.name, " has ", parameter.scores.size(), " scores but ", parameter.within.size(),
           " that rank its weights among themselves: pass as many");
    part.parts.front().scores = parameter.within;
    part.decided_by_position = wanted.decided_by_position;
    keep_ranked(part, detail::count_bits(part.parts.front().kept), wanted.end);
  }

  template <class T>
  [[nodiscard]] static std::vector<std::size_t> minima(std::span<scored_parameter<T> const> parameters, selection const& wanted,
                                                       std::size_t n, std::size_t total) {
    std::vector least(parameters.size(), wanted.at_least);
    if (auto const floor = wanted.layer_floor.value_or(0); !(floor >= 0 && floor <= 1))
      fail_request("a layer_floor of ", floor, " is outside [0, 1]: pass the share of its even part that each layer keeps");
    auto const spare = static_cast<double>(n - std::min(n, parameters.size()));
    for (std::size_t p = 0; p < parameters.size(); ++p) {
      auto const floor = wanted.layer_floor.value_or(parameters[p].layer_floor);
      if (!(floor >= 0) || !std::isfinite(floor))
        fail(parameters[p].name, " has a layer_floor of ", floor, ": give it one of 0 or more");
      if (floor == 0 || total == 0) continue;
      auto const size = static_cast<double>(parameters[p].scores.size());
      auto const further = std::min(std::floor(floor * spare / static_cast<double>(total) * size), size);
      least[p] = std::max(least[p], 1 + static_cast<std::size_t>(further));
    }
    return least;
  }
};

}  // namespace lnpt
