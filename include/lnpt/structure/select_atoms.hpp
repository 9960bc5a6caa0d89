#pragma once
/// Which atoms go under a budget that holds after removal.
#include <algorithm>
#include <cstddef>
#include <ranges>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/structure/atom_scores.hpp>
#include <lnpt/structure/remaining_network.hpp>

namespace lnpt::detail {

/// Removes the worst atoms, as many as the budget asks for.
class atom_selection {
 public:
  atom_selection(atom_set const& set, scored_atoms const& scored, counted unit, selection const& wanted,
                 channel_rounding const& rounding)
      : set_(set),
        scores_(scored.scores),
        dead_(scored.dead),
        full_(set, unit),
        wanted_(wanted),
        rounding_(rounding),
        unit_(unit) {
    for (std::size_t a = 0; a < set.atoms.size(); ++a)
      if (scored.ranked[a]) order_.push_back(a);
    std::ranges::stable_sort(order_, [&](std::size_t a, std::size_t b) {
      auto const x = scored.scores[a];
      auto const y = scored.scores[b];
      return x == y ? a > b : wanted.end == keep_end::highest ? x < y : x > y;  // of equal atoms the first stays
    });
    for (std::size_t t = 0; t < set.tensors.size(); ++t) atoms_of_.emplace_back();
    for (auto const a : order_)
      for (auto const& slices : set.atoms[a].slices)
        if (slices.role == slice_role::row) atoms_of_[slices.tensor].push_back(a);
  }

  /// The atoms that go: the fewest of the ranking's end for which the budget holds.
  [[nodiscard]] std::vector<char> run() const {
    auto const limit = wanted_.keep.value() * full_.cost() * (1 + 1e-12);
    if (auto const least = cost_of(removed_among(order_.size())); least > limit)
      fail_request(
          "no more than ", 1 - least / full_.cost(), " of the ", name_of(unit_), " can go, for ", 1 - wanted_.keep.value(),
          " were to: every layer keeps ", rounding_.multiple > 1 ? "channels that fill a multiple" : "a channel",
          ", and the outputs of the classifier all stay; ask for less", rounding_.multiple > 1 ? ", or for no rounding" : "");
    std::size_t enough = order_.size();
    std::size_t few = 0;
    if (cost_of(removed_among(0)) <= limit) return removed_among(0);
    while (enough - few > 1) {
      auto const middle = few + (enough - few) / 2;
      (cost_of(removed_among(middle)) <= limit ? enough : few) = middle;
    }
    count_ties(enough);
    return removed_among(enough);
  }

 private:
  /// Removes the first n of the ranking, but for the last of a layer, then widens layers to what the engine is good at.
  [[nodiscard]] std::vector<char> removed_among(std::size_t n) const {
    auto removed = dead_;
    auto left = without(removed);
    for (std::size_t i = 0; i < n; ++i) {
      auto const& each = set_.atoms[order_[i]];
      if (!std::ranges::all_of(each.slices, [&](tensor_slices const& s) { return spares(left, s); })) continue;
      left.remove(each);
      removed[order_[i]] = 1;
    }
    while (widen(left, removed)) {
    }
    return removed;
  }

  [[nodiscard]] remaining_network without(std::vector<char> const& removed) const {
    auto left = full_;
    for (std::size_t a = 0; a < removed.size(); ++a)
      if (removed[a]) left.remove(set_.atoms[a]);
    return left;
  }
  [[nodiscard]] double cost_of(std::vector<char> const& removed) const { return without(removed).cost(); }

  /// Whether a weight can lose these rows and keep one, or as many as hold `at_least` weights.
  [[nodiscard]] bool spares(remaining_network const& left, tensor_slices const& s) const {
    if (s.role != slice_role::row) return true;
    auto const& extents = set_.tensors[s.tensor].extents;
    auto const row = std::max<std::size_t>(1, element_count(extents) / extents[0]);
    auto const least = std::max<std::size_t>(1, (wanted_.at_least + row - 1) / row);
    return left.width(s.tensor) >= least + s.indices.size();
  }

  /// Counts the weights of the atoms whose score equals that of the n-th to go, if it is that of the next as well.
  void count_ties(std::size_t n) const {
    if (wanted_.decided_by_position == nullptr || n == 0 || n == order_.size()) return;
    auto const threshold = scores_[order_[n - 1]];
    if (scores_[order_[n]] != threshold) return;
    for (auto const a : order_)
      if (scores_[a] == threshold) *wanted_.decided_by_position += weights_of(set_.atoms[a]);
  }

  /// The weights of convolutions and linear layers that an atom has slices of.
  [[nodiscard]] std::size_t weights_of(atom const& each) const {
    std::size_t count = 0;
    for (auto const& slices : each.slices)
      if (auto const& tensor = set_.tensors[slices.tensor]; is_prunable(tensor.role))
        count += slices.indices.size() * element_count(tensor.extents) / tensor.extents[slices.axis];
    return count;
  }

  [[nodiscard]] bool is_round(remaining_network const& left, std::size_t tensor) const {
    auto const width = left.width(tensor);
    return rounding_(width, set_.tensors[tensor].extents[0]) == width;
  }

  /// Gives the first width that is not round its best removed atom back, preferring one that leaves round widths alone.
  bool widen(remaining_network& left, std::vector<char>& removed) const {
    for (std::size_t t = 0; t < atoms_of_.size(); ++t) {
      if (atoms_of_[t].empty() || is_round(left, t)) continue;
      auto const& candidates = atoms_of_[t];
      auto best = set_.atoms.size();
      std::size_t harm_of_best = 0;
      for (auto const candidate : std::views::reverse(candidates)) {
        if (!removed[candidate]) continue;
        auto const harm =
            static_cast<std::size_t>(std::ranges::count_if(set_.atoms[candidate].slices, [&](tensor_slices const& s) {
              return s.role == slice_role::row && is_round(left, s.tensor);
            }));
        if (best == set_.atoms.size() || harm < harm_of_best) {
          best = candidate;
          harm_of_best = harm;
        }
      }
      if (best == set_.atoms.size()) continue;
      left.restore(set_.atoms[best]);
      removed[best] = 0;
      return true;
    }
    return false;
  }

  atom_set const& set_;
  std::vector<double> const& scores_;
  std::vector<char> const& dead_;
  remaining_network full_;
  selection const& wanted_;
  channel_rounding rounding_;
  counted unit_;
  std::vector<std::size_t> order_;                  ///< ranked atoms, the worst first
  std::vector<std::vector<std::size_t>> atoms_of_;  ///< tensor → ranked atoms that produce its rows, the worst first
};

}  // namespace lnpt::detail
