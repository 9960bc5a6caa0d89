#pragma once
/// merge_units(): a smaller network without data, whose units took up those that resembled them.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <lnpt/core/random.hpp>
#include <lnpt/merge/impact.hpp>
#include <lnpt/merge/saliency.hpp>
#include <lnpt/structure/remove.hpp>

namespace lnpt {

/// One merge, in the order in which they were made.
struct unit_merge {
  std::string layer;
  unit_pair pair;  ///< numbered as in the network that was given
  merge_effect effect;
  double score = 0;
};

/// What is left of a hidden layer.
struct merged_layer {
  std::string name;
  std::size_t before = 0, after = 0;
};

/// What merge_units() returns.
template <class Network>
struct merged {
  Network model;
  std::vector<merged_layer> layers;
  std::vector<unit_merge> merges;
  output_change change;  ///< for no input of the box does an output differ from the given network's by less or by more
  kept_indices kept;     ///< of every tensor that became smaller
};

namespace detail {

template <class Network>
class merging {
 public:
  using array = tensor_of<Network>;
  using changes = merge_changes<Network>;

  merging(Network& model, interval<array> const& box, merge_options const& options)
      : network_(model), box_(box), options_(options), bounds_(bounds_over(box)) {
    std::size_t units = 0;
    for (auto const& layer : hidden_layers(model)) {
      layers_.push_back({layer, std::vector<char>(layer.units, 1), std::vector<char>(layer.units, 0)});
      units += layer.units;
    }
    target_ = static_cast<std::size_t>(std::llround(options.target * static_cast<double>(units)));
    result_.low.assign(shape_of(bounds_.back().low).back(), 0);
    result_.high = result_.low;
  }

  [[nodiscard]] merged<Network> run() && {
    for (auto before = merges_.size() + 1; merges_.size() < target_ && before != merges_.size();) {
      before = merges_.size();
      for (auto& layer : layers_) {
        step(layer);
        if (options_.progress) options_.progress(merges_.size(), target_);
      }
    }
    return smaller();
  }

 private:
  struct state {
    hidden_layer layer;
    std::vector<char> alive;
    std::vector<char> took_part;  ///< in this epoch or, without recursion, ever

    [[nodiscard]] std::size_t living() const { return static_cast<std::size_t>(std::ranges::count(alive, 1)); }
    /// Of the units that are removed or took part.
    [[nodiscard]] double fraction() const {
      std::size_t count = 0;
      for (std::size_t u = 0; u < alive.size(); ++u) count += !alive[u] || took_part[u];
      return static_cast<double>(count) / static_cast<double>(alive.size());
    }
  };
  /// A candidate with what it would do after everything accepted so far.
  struct rated {
    unit_pair pair;
    merge_effect effect;
    double score = 0;
  };

  /// Merges a few pairs of one layer and computes the bounds again.
  void step(state& at) {
    auto const wanted = static_cast<std::size_t>(std::ceil(options_.step * static_cast<double>(at.layer.units)));
    auto const n = std::min({wanted, target_ - merges_.size(), at.living() - 1});
    if (n == 0) return;
    if (options_.recursive) at.took_part.assign(at.layer.units, 0);
    auto free = at.alive;
    for (std::size_t u = 0; u < free.size(); ++u) free[u] = free[u] && !at.took_part[u];
    auto pairs = unit_weights(network_, at.layer).disjoint_pairs(free);
    changes along(network_, at.layer, bounds_);
    pending_ = {};
    auto const before = merges_.size();
    switch (options_.mode) {
      case merge_mode::saliency: take_first(at, along, pairs, n); break;
      case merge_mode::impact: take_best(at, along, pairs, n); break;
      case merge_mode::stochastic: anneal(at, along, std::move(pairs), n); break;
    }
    if (merges_.size() == before) return;
    result_ = result_ + along.at_outputs(pending_);
    along.store();
    bounds_ = bounds_over(box_);
  }
  /// What every layer can say. Refuses boxes over which that leaves the engine's numbers, since nothing could be compared then.
  [[nodiscard]] std::vector<interval<array>> bounds_over(interval<array> const& box) {
    auto all = interval_bounds(network_, box);
    auto const finite = [](auto value) { return std::isfinite(value); };
    for (auto const& each : all)
      if (!std::ranges::all_of(values_of(each.low), finite) || !std::ranges::all_of(values_of(each.high), finite))
        fail("what the layers can say over this box is beyond the largest number of their type: pass a smaller box");
    return all;
  }

  void take_first(state& at, changes& along, std::vector<unit_pair> const& pairs, std::size_t n) {
    for (std::size_t i = 0; i < std::min(n, pairs.size()); ++i) accept(at, along, rate(along, pairs[i]));
  }
  void take_best(state& at, changes& along, std::vector<unit_pair> const& pairs, std::size_t n) {
    std::vector<rated> all;
    for (std::size_t i = 0; i < std::min(2 * n, pairs.size()); ++i) all.push_back(rate(along, pairs[i]));
    std::ranges::stable_sort(all, {}, &rated::score);
    for (std::size_t i = 0; i < std::min(n, all.size()); ++i) accept(at, along, all[i]);
  }
  /// Walks the candidates in order until n are accepted, and again over those that were not. A walk that accepts none ends with its best
  /// one accepted, so that the last walk comes.
  void anneal(state& at, changes& along, std::vector<unit_pair> pairs, std::size_t n) {
    std::optional<double> last;
    std::size_t taken = 0;
    while (taken < n && !pairs.empty()) {
      std::vector<unit_pair> released;
      std::optional<rated> best;
      auto const before = taken;
      for (auto const& pair : pairs) {
        if (taken == n) break;
        auto const each = rate(along, pair);
        auto const chance = last ? merge_acceptance(each.score, *last, at.fraction(), options_) : 1;
        if (uniform(options_.seed, at.layer.node, draws_++) < chance) {
          accept(at, along, each);
          last = each.score;
          ++taken;
          continue;
        }
        released.push_back(pair);
        if (!best || each.score < best->score) best = each;
      }
      if (taken == before) {
        accept(at, along, *best);
        last = best->score;
        ++taken;
        std::erase_if(released, [&](unit_pair const& pair) { return pair.removed == best->pair.removed; });
      }
      pairs = std::move(released);
    }
  }

  [[nodiscard]] rated rate(changes const& along, unit_pair const& pair) const {
    auto const moved = along.at_outputs(changes::sum(pending_, along.change_of(pair)));
    auto const effect = effect_of(result_ + moved, options_.similarity);
    return {pair, effect, merge_score(effect, options_)};
  }
  void accept(state& at, changes& along, rated const& each) {
    pending_ = changes::sum(pending_, along.merge(each.pair));
    at.alive[each.pair.removed] = 0;
    at.took_part[each.pair.into] = 1;
    merges_.push_back({at.layer.name, each.pair, each.effect, each.score});
  }

  [[nodiscard]] merged<Network> smaller() {
    auto extents = shape_of(box_.low);
    auto const map = channel_map_of(network_, {extents.begin() + 1, extents.end()});
    std::vector<char> removed(map.set.atoms.size(), 0);
    std::vector<merged_layer> layers;
    for (auto const& each : layers_) {
      for (std::size_t u = 0; u < each.layer.units; ++u)
        if (!each.alive[u]) removed[map.atom_of[each.layer.node][u]] = 1;
      layers.push_back({each.layer.name, each.layer.units, each.living()});
    }
    return {without(network_, map, removed), std::move(layers), std::move(merges_), std::move(result_),
            kept_without(map.set, removed)};
  }

  Network network_;
  interval<array> box_;
  merge_options options_;
  std::vector<interval<array>> bounds_;
  std::vector<state> layers_;
  std::size_t target_ = 0, draws_ = 0;
  typename changes::change pending_;  ///< of this step, at the layer that reads the merged one
  output_change result_;              ///< of all steps before
  std::vector<unit_merge> merges_;
};

}  // namespace detail

/// The network in which hidden units of every layer were merged pair by pair until the target is reached, without data.
/// Meng, Bai, Teo, Lin, TASE 2022, arXiv:2204.00783, by corrected semantics: the removed unit's own outgoing weights, changes without
/// biases, impact accumulated over all merges, every pair accepted once.
///
/// A unit p goes and its outgoing weights are added to those of q. In every step each layer gives up a small share of its units, chosen
/// among disjoint pairs in the order of their saliency (merge/saliency.hpp) by what they do to the outputs for all inputs in `box`
/// (merge/impact.hpp); then bounds are computed again. `change` bounds what all merges together do, soundly: the difference of both
/// networks, in exact arithmetic and in eval mode, lies in it for every input of the box. Where no pair is left the network stays larger.
///
/// `box` is a batch of one. Costs per step and layer the distances of all its units, twice its share of passes through the layers behind
/// it (more by annealing), and one `interval_bounds`. The given network is not changed. Refuses what merging does not cover, by its layer.
template <class Backend>
[[nodiscard]] merged<network<Backend>> merge_units(network<Backend>& model, interval<typename Backend::array> const& box,
                                                   merge_options const& options = {}) {
  detail::require_merge_options(options);
  if (shape_of(box.low).at(0) != 1)
    fail("merging takes one box of inputs, and there are ", shape_of(box.low)[0], ": pass a batch of one");
  static_cast<void>(hidden_layers(model));
  return detail::merging<network<Backend>>(model, box, options).run();
}

}  // namespace lnpt
