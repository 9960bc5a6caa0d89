#pragma once
/// The ranking that mask strategies share: the n best of all parts, with minima by part, and a sentence for what cannot be ranked.
#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/mask/finite.hpp>
#include <lnpt/mask/select.hpp>
#include <lnpt/mask/strategy.hpp>

namespace lnpt {

/// Parts to rank, with what messages and the report say of them.
template <class T>
struct ranking {
  std::string_view unit = "weights";         ///< or "channels"
  std::vector<std::string_view> names = {};  ///< of the parts
  std::vector<ranked_part<T>> parts = {};
  std::vector<std::span<std::size_t const>> weights_in_units = {};  ///< of each unit, by part; empty: 1
  std::size_t* decided_by_position = nullptr;  ///< where to add the weights decided by their place alone; null: nobody asks

  /// A ranking of part p alone.
  [[nodiscard]] ranking part(std::size_t p) const {
    return {unit,
            {names[p]},
            {parts[p]},
            weights_in_units.empty() ? weights_in_units : std::vector{weights_in_units[p]},
            decided_by_position};
  }
};

namespace detail {

/// How many scores of a part take part.
template <class T>
[[nodiscard]] std::size_t ranked_count(ranked_part<T> const& part) {
  return part.among.empty() ? part.scores.size() : count_bits(part.among);
}

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

/// The n best, where the scores are if they all lie on one device.
template <class T>
[[nodiscard]] ranking_outcome keep_largest_anywhere(std::vector<ranked_part<T>> const& parts, std::size_t n, keep_end end) {
  if (!parts.empty() && parts.front().scores.distant() != nullptr)
    if (auto outcome = parts.front().scores.distant()->keep_largest(parts, n, end)) return std::move(*outcome);
  std::vector<ranked_scores<T>> on_host;
  for (auto const& part : parts) on_host.push_back(part.on_host());
  return keep_largest<T>(on_host, n, end);
}

/// Ranks, refuses scores that are NaN or infinite, and counts nothing.
template <class T>
[[nodiscard]] ranking_outcome rank(ranking<T> const& ranked, std::size_t n, keep_end end) {
  auto outcome = keep_largest_anywhere(ranked.parts, n, end);
  non_finite_scores refused;
  for (std::size_t p = 0; p < outcome.non_finite.size(); ++p)
    refused.add(ranked.names[p], outcome.non_finite[p], ranked.parts[p].scores.size());
  refused.refuse();
  return outcome;
}

/// The worst of the scores that stay, which is the threshold where some of its equals go.
template <class T>
[[nodiscard]] typename score_order<T>::key worst_kept(ranking<T> const& ranked, score_order<T> order) {
  auto worst = score_order<T>::infinity;
  for (auto const& part : ranked.parts) {
    auto const scores = part.scores.on_host();
    for (std::size_t i = 0; i < scores.size(); ++i)
      if (test_bit(part.kept, i)) worst = std::min(worst, order(scores[i]));
  }
  return worst;
}

/// How many weights the units have, by part, that equal the threshold where not all of them stay.
template <class T>
[[nodiscard]] std::vector<std::size_t> tied_weights(ranking<T> const& ranked, ranking_outcome const& outcome, keep_end end) {
  if (ranked.weights_in_units.empty() || outcome.tied.empty()) return outcome.tied;
  score_order<T> const order(end);
  auto const threshold = worst_kept(ranked, order);
  std::vector<std::size_t> weights(ranked.parts.size());
  for (std::size_t p = 0; p < weights.size(); ++p) {
    auto const& part = ranked.parts[p];
    auto const scores = part.scores.on_host();
    for (std::size_t i = 0; i < scores.size(); ++i)
      if ((part.among.empty() || test_bit(part.among, i)) && order(scores[i]) == threshold)
        weights[p] += ranked.weights_in_units[p][i];
  }
  return weights;
}

/// Adds so many weights of each part; none where nobody asks.
template <class T>
void note_decided(ranking<T> const& ranked, std::vector<std::size_t> const& weights) {
  if (ranked.decided_by_position == nullptr) return;
  for (auto const each : weights) *ranked.decided_by_position += each;
}

/// How many weights of a part their place alone decided, where those of `tied` equalled the last that its minimum took, and the others then
/// competed with all parts, which `kept` units of this part survived. Of these `tied_kept` equalled the threshold, as `tied_later` weights do.
///
/// What a minimum leaves out comes first among the rest of its part. So it stays whole where more than ties stay, is tied again where ties
/// alone are met, and has lost where nothing stays.
[[nodiscard]] constexpr std::size_t decided_twice(std::size_t tied, std::size_t kept, std::size_t tied_later,
                                                  std::size_t tied_kept) {
  auto const all_stay = kept > tied_kept;
  return all_stay ? tied_later : std::max(tied, tied_later);
}

}  // namespace detail

/// All weights as a ranking: the survivors take part, and what stays is written to blank masks, which are added to `masks`. The masks
/// must not be added to or moved while the ranking is in use.
template <class T>
[[nodiscard]] ranking<T> weight_ranking(std::span<scored_parameter<T> const> parameters, selection const& wanted,
                                        mask_set& masks) {
  ranking<T> result{.decided_by_position = wanted.decided_by_position};
  for (auto const& parameter : parameters) {
    if (parameter.scores.size() != element_count(parameter.extents))
      fail(parameter.name, " has the shape ", list(parameter.extents), " but ", parameter.scores.size(), " scores: pass ",
           element_count(parameter.extents));
    masks.add({parameter.name, parameter.extents, false});
  }
  for (auto part = masks.begin(); auto const& parameter : parameters) {
    result.names.push_back(parameter.name);
    result.parts.push_back({parameter.scores, (part++)->words(), detail::survivors_of(parameter, wanted)});
  }
  return result;
}

/// Keeps the n best over all parts: writes the bits of what stays. Throws where a score is NaN or infinite.
template <class T>
void keep_ranked(ranking<T> const& ranked, std::size_t n, keep_end end) {
  auto const outcome = detail::rank(ranked, n, end);
  detail::note_decided(ranked, detail::tied_weights(ranked, outcome, end));
}

/// Refuses NaN and infinite scores where weights are not ranked themselves; leaves the masks blank.
template <class T>
void require_finite(ranking<T> const& ranked) {
  keep_ranked(ranked, 0, keep_end::highest);
}

/// Keeps the n best over all parts, among them the best `minima[p]` of each part p, or all that part has where it has fewer.
template <class T>
void keep_ranked(ranking<T> const& ranked, std::size_t n, std::vector<std::size_t> const& minima, keep_end end) {
  std::size_t available = 0;
  std::size_t certain = 0;
  for (std::size_t p = 0; p < minima.size(); ++p) {
    available += detail::ranked_count(ranked.parts[p]);
    certain += std::min(minima[p], detail::ranked_count(ranked.parts[p]));
  }
  if (n > available)
    fail_request("cannot keep ", n, ' ', ranked.unit, ": ", available,
                 " survived the earlier rounds; ask for a density that does not rise");
  if (n < certain)
    fail_request("cannot keep ", n, " of ", available, ' ', ranked.unit, ": ", certain,
                 " are certain to stay in their layers (by at_least, by a layer floor such as the default criterion's, or as a "
                 "layer's last "
                 "channel); keep at least as many, or pass a smaller at_least or layer_floor");
  if (certain == 0) return keep_ranked(ranked, n, end);

  // First the minima, part by part; then what is left competes for the rest.
  auto rest = ranked;
  std::vector<std::vector<mask::word>> contested(ranked.parts.size());
  std::vector<std::vector<mask::word>> chosen(ranked.parts.size());
  std::vector<std::size_t> decided(ranked.parts.size());
  for (std::size_t p = 0; p < minima.size(); ++p) {
    auto const& part = ranked.parts[p];
    auto const outcome = detail::rank(ranked.part(p), std::min(minima[p], detail::ranked_count(part)), end);
    if (!outcome.tied.empty()) decided[p] = detail::tied_weights(ranked.part(p), outcome, end).front();
    contested[p].assign(part.among.begin(), part.among.end());
    if (part.among.empty()) detail::set_bits(contested[p] = std::vector<mask::word>(part.kept.size()), 0, part.scores.size());
    for (std::size_t w = 0; w < contested[p].size(); ++w) contested[p][w] &= ~part.kept[w];
    chosen[p].resize(part.kept.size());
    rest.parts[p].kept = chosen[p];
    rest.parts[p].among = contested[p];
  }
  auto const outcome = detail::rank(rest, n - certain, end);
  auto const weights = detail::tied_weights(rest, outcome, end);
  auto kept_of_tied = outcome.tied_kept;
  for (std::size_t p = 0; p < chosen.size(); ++p) {
    auto const tied = outcome.tied.empty() ? 0 : outcome.tied[p];
    auto const tied_kept = std::min(tied, kept_of_tied);
    kept_of_tied -= tied_kept;
    decided[p] = detail::decided_twice(decided[p], detail::count_bits(chosen[p]), tied == 0 ? 0 : weights[p], tied_kept);
    for (std::size_t w = 0; w < chosen[p].size(); ++w) ranked.parts[p].kept[w] |= chosen[p][w];
  }
  detail::note_decided(ranked, decided);
}

}  // namespace lnpt
