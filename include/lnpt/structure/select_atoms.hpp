#pragma once
/// Which atoms go under a budget that holds after removal.
#include <algorithm>
#include <cstddef>
#include <iterator>
#include <ranges>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/structure/atom_scores.hpp>
#include <lnpt/structure/remaining_network.hpp>
#include <lnpt/structure/tied_atoms.hpp>

namespace lnpt::detail {

/// Removes the worst atoms, as many as the budget asks for.
class atom_selection {
 public:
  atom_selection(atom_set const& set, scored_atoms const& scored, counted unit, selection const& wanted,
                 channel_rounding const& rounding)
      : set_(set),
        scores_(scored.scores),
        dead_(scored.dead),
        scored_tensors_(scored.tensors),
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
    if (auto const least = cost_of(removed_among(order_.size())); least > limit) refuse(1 - least / full_.cost());
    std::size_t enough = order_.size();
    std::size_t few = 0;
    if (cost_of(removed_among(0)) <= limit) return removed_among(0);
    while (enough - few > 1) {
      auto const middle = few + (enough - few) / 2;
      (cost_of(removed_among(middle)) <= limit ? enough : few) = middle;
    }
    auto removed = removed_among(enough);
    if (rounding_.multiple > 1) give_back(removed, limit);
    count_ties(enough, removed);
    return removed;
  }

 private:
  /// Refuses the budget where no more than this share can go.
  [[noreturn]] void refuse(double most) const {
    auto const rounds = rounding_.multiple > 1;
    auto const widths = rounds ? "every width above " + std::to_string(rounding_.above) + " is a multiple of " +
                                     std::to_string(rounding_.multiple) + " channels or stays"
                               : std::string("every layer keeps a channel");
    auto const all = ", and the outputs of the classifier all stay; ask for ";
    if (most > 0)
      fail_request("no more than ", most, " of the ", name_of(unit_), " can go, for ", 1 - wanted_.keep.value(),
                   " were to: ", widths, all, "less", rounds ? ", or for no rounding" : "");
    fail_request("none of the ", name_of(unit_), " can go, for ", 1 - wanted_.keep.value(), " were to: ", widths, all,
                 rounds ? "no rounding" : "masks of single weights");
  }
  /// A network that atoms have gone from, and which.
  struct cut_network {
    remaining_network left;
    std::vector<char> removed;
  };

  /// Removes the first n of the ranking, but for the last of a layer.
  [[nodiscard]] cut_network cut(std::size_t n) const {
    cut_network now{without(dead_), dead_};
    for (std::size_t i = 0; i < n; ++i) {
      auto const& each = set_.atoms[order_[i]];
      if (!spares(now.left, each)) continue;
      now.left.remove(each);
      now.removed[order_[i]] = 1;
    }
    return now;
  }

  /// The same, then layers are widened to what the engine is good at.
  [[nodiscard]] std::vector<char> removed_among(std::size_t n) const {
    auto [left, removed] = cut(n);
    while (widen(left, removed)) {
    }
    return removed;
  }

  /// Gives back what the budget has room for, the best first: where a width falls to the next multiple more goes than was asked for.
  void give_back(std::vector<char>& removed, double limit) const {
    auto left = without(removed);
    auto const groups = groups_of(set_);
    std::vector<char> is_too_much(set_.atoms.size());  // by group: what does not fit now fits no wider network
    for (auto const a : std::views::reverse(order_)) {
      if (!removed[a] || is_too_much[groups[a]]) continue;
      auto wider = left;
      auto fewer = removed;
      wider.restore(set_.atoms[a]);
      fewer[a] = 0;
      while (widen(wider, fewer)) {
      }
      if (wider.cost() > limit) {
        is_too_much[groups[a]] = 1;
        continue;
      }
      left = std::move(wider);
      removed = std::move(fewer);
    }
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

  [[nodiscard]] bool spares(remaining_network const& left, atom const& each) const {
    return std::ranges::all_of(each.slices, [&](tensor_slices const& s) { return spares(left, s); });
  }

  /// Counts the weights that place alone decides, where the first n of the ranking were to go: those of atoms that are equal to the last of
  /// them and could go, and those of equal atoms of a layer that keeps some of them.
  void count_ties(std::size_t n, std::vector<char> const& removed) const {
    if (wanted_.decided_by_position == nullptr) return;
    tied_atoms tied(set_, removed);
    for (std::size_t first = 0, last = 0; first < order_.size(); first = last) {
      while (last < order_.size() && scores_[order_[last]] == scores_[order_[first]]) ++last;
      if (last - first == 1) continue;
      auto const equal = std::span(order_).subspan(first, last - first);
      if (first < n && n < last) tied.mark_if_parted(free_to_go(equal, cut(first).left));
      tied.mark_if_parted_in_a_layer(equal);
    }
    *wanted_.decided_by_position += tied.weights(scored_tensors_, wanted_.survivors);
  }

  /// Those that may go from what is left.
  [[nodiscard]] std::vector<std::size_t> free_to_go(std::span<std::size_t const> atoms, remaining_network const& left) const {
    std::vector<std::size_t> found;
    std::ranges::copy_if(atoms, std::back_inserter(found), [&](std::size_t a) { return spares(left, set_.atoms[a]); });
    return found;
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
  std::vector<char> const& scored_tensors_;
  remaining_network full_;
  selection const& wanted_;
  channel_rounding rounding_;
  counted unit_;
  std::vector<std::size_t> order_;                  ///< ranked atoms, the worst first
  std::vector<std::vector<std::size_t>> atoms_of_;  ///< tensor → ranked atoms that produce its rows, the worst first
};

}  // namespace lnpt::detail
