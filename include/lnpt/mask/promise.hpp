#pragma once
/// Whether what a mask strategy returned are masks of what it was given, and keep about as much as was asked for.
#include <algorithm>
#include <cstddef>
#include <span>
#include <type_traits>

#include <lnpt/core/error.hpp>
#include <lnpt/mask/strategy.hpp>

namespace lnpt::detail {

/// Refuses masks of other shapes than the parameters', and parameters without one.
template <class T>
void require_shapes(std::span<scored_parameter<T> const> scored, mask_set const& masks) {
  for (auto const& parameter : scored) {
    auto const* const found = masks.find(parameter.name);
    if (found == nullptr)
      fail("the mask strategy returned ", masks.size(), " masks and none of ", parameter.name,
           ": it must return one of every parameter that it is given");
    if (found->extents() != parameter.extents)
      fail("the mask strategy returned a mask of the shape ", list(found->extents()), " for ", parameter.name,
           ", which has the shape ", list(parameter.extents), ": it must return masks of the parameters' shapes");
  }
}

/// How many of the scored weights the masks keep.
template <class T>
[[nodiscard]] std::size_t count_kept(std::span<scored_parameter<T> const> scored, mask_set const& masks) {
  std::size_t kept = 0;
  for (auto const& parameter : scored) kept += masks.find(parameter.name)->count();
  return kept;
}

/// Refuses masks that keep nothing and, where the budget counts weights, masks that keep far more or fewer than it says. Strategies round
/// in groups of their own, so that each output channel may be off by a weight, or by `at_least` where these stay in any case, and all together by an
/// eighth of the weights, which is what groups of four round at most; but keeping all is no rounding.
template <class Strategy, class T>
void require_promised_count(std::span<scored_parameter<T> const> scored, selection const& wanted, mask_set const& masks) {
  auto const kept = count_kept(scored, masks);
  std::size_t total = 0;
  std::size_t slack = 0;
  for (auto const& parameter : scored) {
    total += parameter.scores.size();
    slack += (parameter.extents.empty() ? 1 : parameter.extents[0]) * std::max<std::size_t>(1, wanted.at_least);
  }
  if constexpr (std::is_same_v<typename Strategy::budget, sparsity>) {
    auto const alone = kept_count(wanted.keep, total);
    auto const among_others = wanted.already_kept.total == 0 ? alone : kept_count(wanted.keep, total, wanted.already_kept);
    auto const [least, most] = std::minmax(alone, among_others);
    auto const rounding = kept == total || kept == 0 ? slack : slack + total / 8;
    if (kept > most + rounding || kept + rounding < least)
      fail("the mask strategy kept ", kept, " of ", total, " weights where ", among_others,
           " were asked for: it must keep kept_count(wanted.keep, size) of those that survive");
  } else if (kept == 0 && total > 0 && wanted.keep.value() > 0) {
    fail("the mask strategy kept none of ", total, " weights: it must keep those that are most worth it");
  }
}

}  // namespace lnpt::detail
