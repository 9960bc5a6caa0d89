#pragma once
/// Scores of atoms from the scores of their weights.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include <lnpt/mask/accumulation.hpp>
#include <lnpt/mask/bits.hpp>
#include <lnpt/mask/keep_ranked.hpp>
#include <lnpt/structure/atoms.hpp>

namespace lnpt {

/// What the ranking of atoms reads.
struct scored_atoms {
  std::vector<double> scores;
  std::vector<char> ranked;  ///< whether the atom has a score: a surviving weight that is scored
  std::vector<char> dead;    ///< whether all its scored weights went in earlier rounds, or all its rows, where none is scored
  std::vector<char> tensors = {};  ///< by tensor, whether its weights are scored
};

namespace detail {

/// The scores of every slice of one weight along its first two axes.
template <class T>
class slice_scores {
 public:
  slice_scores(scored_parameter<T> const& parameter, std::span<mask::word const> among, accumulation how)
      : of_filters_(parameter.of_filters) {
    for (std::size_t axis = 0; axis < 2; ++axis) sums_[axis].resize(parameter.extents[axis], {how});
    auto const inner = element_count(parameter.extents) / std::max<std::size_t>(1, parameter.extents[0] * parameter.extents[1]);
    auto const scores = parameter.scores.on_host();
    for (std::size_t i = 0; i < scores.size(); ++i) {
      if (!among.empty() && !test_bit(among, i)) continue;
      auto const score = static_cast<double>(scores[i]);
      magnitude_ += std::abs(score);
      ++count_;
      sums_[0][i / inner / parameter.extents[1]].add(score);
      sums_[1][i / inner % parameter.extents[1]].add(score);
    }
  }
  [[nodiscard]] accumulator const& operator()(std::size_t axis, std::size_t i) const { return sums_[axis][i]; }
  /// 1 over the mean magnitude, so that layers of unlike scale compete.
  [[nodiscard]] double normalizer() const { return magnitude_ == 0 ? 1.0 : static_cast<double>(count_) / magnitude_; }

  /// Whether the scores are those of rows, so that columns have none.
  [[nodiscard]] bool of_filters() const { return of_filters_; }

 private:
  bool of_filters_;
  std::array<std::vector<accumulator>, 2> sums_;
  double magnitude_ = 0;
  std::size_t count_ = 0;
};

/// Whether masks from before leave nothing of an atom's rows; not where they say nothing about them.
class gone_rows {
 public:
  gone_rows(atom_set const& set, mask_set const* earlier) : alive_(set.tensors.size()) {
    if (earlier == nullptr) return;
    for (std::size_t t = 0; t < set.tensors.size(); ++t) {
      auto const& tensor = set.tensors[t];
      auto const* const found = is_prunable(tensor.role) ? earlier->find(tensor.name) : nullptr;
      if (found == nullptr || found->extents() != tensor.extents) continue;
      auto& rows = alive_[t].emplace(tensor.extents[0]);
      auto const row = element_count(tensor.extents) / tensor.extents[0];
      for (std::size_t i = 0; i < found->size(); ++i)
        if ((*found)[i]) rows[i / row] = 1;
    }
  }
  [[nodiscard]] bool operator()(atom const& of) const {
    bool known = false;
    for (auto const& slices : of.slices) {
      if (slices.role != slice_role::row || slices.axis != 0 || !alive_[slices.tensor]) continue;
      known = true;
      if (std::ranges::any_of(slices.indices, [&](std::size_t i) { return (*alive_[slices.tensor])[i] != 0; })) return false;
    }
    return known;
  }

 private:
  std::vector<std::optional<std::vector<char>>> alive_;  ///< by tensor, whether a row has a weight left
};

}  // namespace detail

/// The score of an atom: accumulated over every scored weight of its rows, columns and depthwise slices that survived so far. Criteria of
/// whole filters score rows and depthwise slices alone: a column's shares are of the filters that read it.
/// `normalize` divides by each tensor's mean magnitude first. In double; O(weights).
template <class T>
[[nodiscard]] scored_atoms score_atoms(atom_set const& set, std::span<scored_parameter<T> const> parameters,
                                       selection const& wanted, accumulation how, bool normalize) {
  mask_set blank;
  require_finite(weight_ranking(parameters, wanted, blank));
  std::vector<std::optional<detail::slice_scores<T>>> by_tensor(set.tensors.size());
  for (auto const& parameter : parameters) {
    auto const found = std::ranges::find(set.tensors, parameter.name, &sliced_tensor::name);
    if (found == set.tensors.end() || found->extents != parameter.extents)
      fail("the atoms know no parameter ", parameter.name, " of shape ", list(parameter.extents), ": take those of this model");
    by_tensor[static_cast<std::size_t>(found - set.tensors.begin())].emplace(parameter, detail::survivors_of(parameter, wanted),
                                                                             how);
  }
  scored_atoms result;
  for (auto const& weights : by_tensor) result.tensors.push_back(weights.has_value());
  detail::gone_rows const is_gone(set, wanted.survivors);
  for (auto const& each : set.atoms) {
    detail::accumulator sum{how};
    bool scored = false;
    for (auto const& slices : each.slices)
      if (auto const& weights = by_tensor[slices.tensor]) {
        if (weights->of_filters() && slices.role == slice_role::column) continue;
        scored = true;
        for (auto const i : slices.indices) sum.add((*weights)(slices.axis, i), normalize ? weights->normalizer() : 1.0);
      }
    result.scores.push_back(sum.value());
    result.ranked.push_back(sum.count != 0);
    result.dead.push_back(sum.count == 0 && (scored || is_gone(each)));
  }
  return result;
}

}  // namespace lnpt
