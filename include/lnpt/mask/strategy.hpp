#pragma once
/// What a mask strategy is given and gives back: scores by parameter in, one bit per weight out.
#include <concepts>
#include <cstddef>
#include <optional>
#include <span>

#include <lnpt/core/budget.hpp>
#include <lnpt/mask/mask_set.hpp>
#include <lnpt/mask/scores.hpp>

namespace lnpt {

/// What a strategy is asked to keep.
struct selection {
  density keep{1.0};                    ///< of all scored weights (or channels), whether they survived earlier rounds or not
  mask_set const* survivors = nullptr;  ///< only these are ranked and may stay; null: all
  keep_end end = keep_end::highest;     ///< which end of the ranking stays
  std::size_t at_least = 0;             ///< weights that each parameter keeps, within the exact total
  std::optional<double> layer_floor = std::nullopt;  ///< what each parameter keeps in any case, of its even part of the total; 0:
                                                     ///< nothing; default: the parameter's own
  kept_anyway already_kept = {};               ///< weights without scores that count within the ratio, where weights are counted
  std::size_t* decided_by_position = nullptr;  ///< where to add how many weights were decided by their place alone, for want of a
                                               ///< difference in score; null: nobody asks
};

/// A callable that turns scores into masks; its `budget` is the type that users state the ratio in.
template <class Strategy>
concept mask_strategy = std::semiregular<Strategy> && requires(Strategy const& strategy, selection const& wanted,
                                                               std::span<scored_parameter<float> const> parameters) {
  typename Strategy::budget;
  { strategy(parameters, wanted) } -> std::same_as<mask_set>;
};

/// Whether a strategy ranks single weights, all of which tie within a filter where a criterion scores whole filters: its budget counts
/// weights, unless it has a `static constexpr bool ranks_weights` that says otherwise.
template <class Strategy>
inline constexpr bool ranks_weights = [] {
  if constexpr (requires { Strategy::ranks_weights; })
    return bool(Strategy::ranks_weights);
  else
    return std::same_as<typename Strategy::budget, sparsity> || std::same_as<typename Strategy::budget, fixed_ratio>;
}();

/// A strategy that heeds `selection::layer_floor` and `scored_parameter::layer_floor`, as its `static constexpr bool keeps_layer_floor = true` says. Of others no floor is asked.
template <class Strategy>
concept keeps_layer_floor = mask_strategy<Strategy> && requires { requires Strategy::keeps_layer_floor; };

/// A strategy that heeds `scored_parameter::within`, as its `static constexpr bool ranks_within_layers = true` says.
template <class Strategy>
concept ranks_within_layers = mask_strategy<Strategy> && requires { requires Strategy::ranks_within_layers; };

/// A strategy that says which share of its budget's unit masks keep, so that rounds which begin at masks begin at that density. Of a
/// budget of weights these are counted, others begin at 1.
template <class Strategy, class T>
concept knows_kept_share =
    mask_strategy<Strategy> &&
    requires(Strategy const& strategy, std::span<scored_parameter<T> const> parameters, mask_set const& masks) {
      { strategy.kept_share(parameters, masks) } -> std::same_as<double>;
    };

}  // namespace lnpt
