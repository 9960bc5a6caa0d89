#pragma once
/// What a mask strategy is given and gives back: scores by parameter in, one bit per weight out.
#include <algorithm>
#include <concepts>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <lnpt/core/budget.hpp>
#include <lnpt/core/error.hpp>
#include <lnpt/core/parameter.hpp>
#include <lnpt/core/shape.hpp>
#include <lnpt/mask/mask_set.hpp>
#include <lnpt/mask/select.hpp>

namespace lnpt {

/// One parameter and its scores: a larger score is more worth keeping.
template <class T>
struct scored_parameter {
  std::string name;
  shape extents;
  std::span<T const> scores;
  lnpt::role role = lnpt::role::weight;
  std::size_t output_axis = 0;  ///< the axis that counts output channels
};

/// What a strategy is asked to keep.
struct selection {
  density keep{1.0};                    ///< of all scored weights (or channels), whether they survived earlier rounds or not
  mask_set const* survivors = nullptr;  ///< only these are ranked and may stay; null: all
  keep_end end = keep_end::highest;     ///< which end of the ranking stays
  std::size_t at_least = 0;             ///< weights that each parameter keeps, within the exact total
  std::size_t already_kept = 0;         ///< weights without scores that count as kept within the ratio, where weights are counted
};

/// A callable that turns scores into masks; its `budget` is the type that users state the ratio in.
template <class Strategy>
concept mask_strategy = std::semiregular<Strategy> && requires(Strategy const& strategy, selection const& wanted,
                                                               std::span<scored_parameter<float> const> parameters) {
  typename Strategy::budget;
  { strategy(parameters, wanted) } -> std::same_as<mask_set>;
};

namespace detail {

/// The words of the survivors of one parameter; empty where all survived.
template <class T>
[[nodiscard]] std::span<mask::word const> survivors_of(scored_parameter<T> const& parameter, selection const& wanted) {
  auto const* const found = wanted.survivors == nullptr ? nullptr : wanted.survivors->find(parameter.name);
  if (found == nullptr) return {};
  if (found->extents() != parameter.extents)
    fail("the survivors of ", parameter.name, " have the shape ", list(found->extents()), ", its scores ",
         list(parameter.extents), ": pass the masks of this model");
  return found->words();
}

/// Rankings of parts that have names, for messages.
template <class T>
struct named_ranking {
  std::string_view unit;  ///< "weights" or "channels"
  std::vector<std::string_view> names;
  std::vector<ranked_scores<T>> parts;
};

/// All weights, with the survivors as what takes part and the (blank) masks as what is written.
template <class T>
[[nodiscard]] named_ranking<T> weight_ranking(std::span<scored_parameter<T> const> parameters, selection const& wanted,
                                              mask_set& masks) {
  named_ranking<T> ranking{"weights", {}, {}};
  for (auto const& parameter : parameters) {
    if (parameter.scores.size() != element_count(parameter.extents))
      fail(parameter.name, " has the shape ", list(parameter.extents), " but ", parameter.scores.size(), " scores: pass ",
           element_count(parameter.extents));
    masks.add({parameter.name, parameter.extents, false});
  }
  for (auto part = masks.begin(); auto const& parameter : parameters) {
    ranking.names.push_back(parameter.name);
    ranking.parts.push_back({parameter.scores, (part++)->words(), survivors_of(parameter, wanted)});
  }
  return ranking;
}

/// `keep_largest`, with a sentence for scores that cannot be ranked.
template <class T>
void keep_ranked(named_ranking<T> const& ranking, std::size_t n, keep_end end) {
  auto const counts = keep_largest<T>(ranking.parts, n, end);
  std::string found;
  for (std::size_t p = 0; p < counts.size(); ++p)
    if (counts[p] != 0)
      found += (found.empty() ? "" : ", ") + std::to_string(counts[p]) + " of " + std::to_string(ranking.parts[p].scores.size()) +
               " in " + std::string(ranking.names[p]);
  if (!found.empty())
    fail("scores are NaN or infinite (", found, "), so nothing was masked: score finite weights and inputs, or in double");
}

/// Refuses NaN and infinite scores where weights are not ranked themselves; leaves the masks blank.
template <class T>
void require_finite(named_ranking<T> const& ranking) {
  keep_ranked(ranking, 0, keep_end::highest);
}

/// Keeps n over all parts, of which the best `minima[p]` of each part (as many as it has) are certain.
template <class T>
void keep_ranked(named_ranking<T> const& ranking, std::size_t n, std::vector<std::size_t> const& minima, keep_end end) {
  std::size_t available = 0;
  std::size_t certain = 0;
  for (std::size_t p = 0; p < minima.size(); ++p) {
    available += ranked_count(ranking.parts[p]);
    certain += std::min(minima[p], ranked_count(ranking.parts[p]));
  }
  if (n > available)
    fail("cannot keep ", n, ' ', ranking.unit, ": ", available,
         " survived the earlier rounds; ask for a density that does not rise");
  if (n < certain)
    fail("cannot keep ", n, " of ", available, ' ', ranking.unit, ": ", certain,
         " are certain to stay in their layers; keep at least as many, or guarantee fewer");
  if (certain == 0) return keep_ranked(ranking, n, end);

  named_ranking<T> rest{ranking.unit, ranking.names, {}};
  std::vector<std::vector<mask::word>> contested;
  std::vector<std::vector<mask::word>> chosen;
  for (std::size_t p = 0; p < minima.size(); ++p) {
    auto const& part = ranking.parts[p];
    keep_ranked<T>({ranking.unit, {ranking.names[p]}, {part}}, std::min(minima[p], ranked_count(part)), end);
    auto& others = contested.emplace_back(part.among.begin(), part.among.end());
    if (part.among.empty()) set_bits(others = std::vector<mask::word>(part.kept.size()), 0, part.scores.size());
    for (std::size_t w = 0; w < others.size(); ++w) others[w] &= ~part.kept[w];
    rest.parts.push_back({part.scores, chosen.emplace_back(part.kept.size()), others});
  }
  keep_ranked(rest, n - certain, end);
  for (std::size_t p = 0; p < chosen.size(); ++p)
    for (std::size_t w = 0; w < chosen[p].size(); ++w) ranking.parts[p].kept[w] |= chosen[p][w];
}

}  // namespace detail
}  // namespace lnpt
