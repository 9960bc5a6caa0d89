#pragma once
/// What prune() is asked with, and what it returns.
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>

#include <lnpt/core/execution.hpp>
#include <lnpt/core/normalization.hpp>
#include <lnpt/evidence/evidence.hpp>
#include <lnpt/mask/budget_of.hpp>
#include <lnpt/mask/mask_set.hpp>
#include <lnpt/mask/ranking.hpp>
#include <lnpt/mask/report.hpp>
#include <lnpt/mask/strategy.hpp>

namespace lnpt {

/// What becomes of prunable weights the loss does not reach; they have no score.
enum class unreached {
  keep,            ///< kept, and left out of the ratio
  keep_in_budget,  ///< kept, and counted as kept within the ratio
  magnitude,       ///< pruned by |θ| in each parameter, at the same ratio
};

/// How to prune with a mask strategy. Its budget is `sparsity` (or `density`) of weights, `channels`, or none where it is fixed.
template <class Mask>
struct prune_options {
  detail::misnamed_budget sparsity = {};  ///< not to be written: the ratio is the `budget`
  detail::misnamed_budget density = {};   ///< not to be written
  budget_of<Mask> budget;
  Mask strategy = {};  ///< such as channel_structured{.normalize = true}
  int rounds = 0;      ///< rescorings on the schedule; 0: the criterion's own, mostly 1
  lnpt::unreached unreached = lnpt::unreached::keep;
  lnpt::keep_end keep_end = keep_end::highest;         ///< which end of the ranking stays
  std::size_t at_least = 0;                            ///< weights every parameter keeps, whatever its scores
  std::optional<double> layer_floor = std::nullopt;    ///< default: what the scores bring, the criterion's own, mostly 0
  mask_set start = {};                                 ///< only these weights are ranked and may stay; empty: all
  std::optional<norm_mode> batch_norm = std::nullopt;  ///< default: the criterion's own
  std::uint64_t seed = 0;
  int probes = 0;  ///< of gauss_newton; 0: what the policy says
  std::size_t sample_group = 5;
  lnpt::execution execution = execution::automatic;               ///< of passes over a model that is masked already, as in rounds
  std::function<void(int round, int rounds)> progress = nullptr;  ///< called before every round

  /// Whether a draw within layers decides, in so many rounds: it is of whole layers, so that scores say which weights stay in further
  /// rounds and among what others left.
  [[nodiscard]] bool draws(int in_rounds) const { return ranks_within_layers<Mask> && in_rounds == 1 && start.empty(); }
  /// Whether the criterion's own floors are those that are heeded.
  [[nodiscard]] bool asks_floors() const { return keeps_layer_floor<Mask> && !layer_floor; }
  [[nodiscard]] score_options scoring(int in_rounds) const {
    return {batch_norm, seed, probes, sample_group, draws(in_rounds), asks_floors()};
  }
};

/// What prune() returns: `auto [masks, report] = prune<…>(…)`. The model itself is unchanged; `apply(masks, model)` prunes it.
struct prune_result {
  mask_set masks;
  prune_report report;
};

namespace detail {
template <class>
inline constexpr bool is_prune_options = false;
template <class Mask>
inline constexpr bool is_prune_options<prune_options<Mask>> = true;
}  // namespace detail

}  // namespace lnpt
