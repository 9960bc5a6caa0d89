#pragma once
/// What becomes of the constants that removed channels still say: into a bias, into one channel that stays, or nowhere.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <lnpt/structure/constants.hpp>
#include <lnpt/structure/dead_paths.hpp>
#include <lnpt/structure/remove.hpp>

namespace lnpt::detail {

/// The columns of one padded convolution that one column stands for: W[:, into] += Σ ratio · W[:, from].
struct merged_columns {
  struct source {
    std::size_t atom, column;
    double ratio;
  };
  std::size_t weight;  ///< parameter
  std::size_t into;
  std::vector<source> from;
};

/// Where the constants of removed channels go.
struct constant_plan {
  /// Reading node → the constant of each channel it reads, which its bias takes up: b += c Σ W[:, k]. 0: nothing to take up.
  std::map<std::size_t, std::vector<double>> folded;
  std::vector<merged_columns> merged;
};

/// Decides, atom by atom, where its constants go; puts back and names what cannot go exactly.
class constant_planning {
 public:
  constant_planning(channel_map const& map, dead_paths const& paths, channel_constants const& constants,
                    std::vector<char>& removed, std::vector<whole_tensor>& whole)
      : map_(map), paths_(paths), constants_(constants), removed_(removed), whole_(whole) {
    list_reads();
  }

  [[nodiscard]] constant_plan run(bool constant_channel) && {
    std::map<std::size_t, std::vector<std::size_t>> border;  // group → atoms
    auto const groups = groups_of(map_.set);
    for (std::size_t a = 0; a < removed_.size(); ++a) {
      if (!removed_[a]) continue;
      if (std::ranges::any_of(reads_[a], [](read const& r) { return !r.constant; }))
        put_back(a, "a masked channel says different things at different positions, so no constant stands for it");
      else if (std::ranges::any_of(reads_[a], at_border))
        border[groups[a]].push_back(a);
    }
    for (auto const& [group, atoms] : border)
      if (!constant_channel)
        for (auto const a : atoms)
          put_back(
              a,
              "a masked channel still says a constant that a padded convolution reads: mask its bias, γ and β too, or ask for "
              "a constant channel");
      else
        merge(atoms);
    for (std::size_t a = 0; a < removed_.size(); ++a)
      if (removed_[a]) fold(a);
    return std::move(plan_);
  }

 private:
  /// One column that matters, of an atom that nothing from the input reaches.
  struct read {
    std::size_t node, channel;
    std::optional<double> constant;
    bool padded;
  };
  static bool at_border(read const& r) { return r.padded && *r.constant != 0; }

  void list_reads() {
    reads_.resize(removed_.size());
    for (std::size_t i = 1; i < map_.flows.size(); ++i) {
      auto const& sum = map_.flows[i].sum;
      if (!sum || (sum->groups > 1 && map_.set.tensors[sum->weight].extents[1] == 1)) continue;
      for (std::size_t k = 0; k < map_.atom_of[sum->input].size(); ++k) {
        auto const a = map_.atom_of[sum->input][k];
        if (a != channel_map::none && removed_[a] && paths_.matters[sum->input][k])
          reads_[a].push_back({i, k, constants_.at(sum->input)[k], sum->padded});
      }
    }
  }

  void put_back(std::size_t a, char const* why) {
    removed_[a] = 0;
    whole_.push_back({name_of(map_.set, map_.set.atoms[a]), why});
  }

  void fold(std::size_t a) {
    for (auto const& each : reads_[a]) {
      if (each.padded || *each.constant == 0) continue;
      auto& constants = plan_.folded[each.node];
      constants.resize(map_.flows[map_.flows[each.node].sum->input].channels);
      constants[each.channel] = *each.constant;
    }
  }

  /// Keeps the atom that speaks loudest at its quietest border and lets it stand for all.
  void merge(std::vector<std::size_t> const& atoms) {
    auto const borders = [&](std::size_t a) {
      std::map<std::size_t, read> by_node;
      bool single = true;
      for (auto const& each : reads_[a])
        if (each.padded) single &= by_node.emplace(each.node, each).second;
      if (!single) by_node.clear();
      return by_node;
    };
    auto const quietest = [&](std::size_t a) {
      double least = std::numeric_limits<double>::infinity();
      auto const all = borders(a);
      for (auto const& [node, each] : all) least = std::min(least, std::abs(*each.constant));
      return all.empty() ? 0.0 : least;
    };
    auto const kept = *std::ranges::max_element(atoms, {}, quietest);
    auto const into = borders(kept);
    if (quietest(kept) == 0 || std::ranges::any_of(atoms, [&](std::size_t a) {
          auto const mine = borders(a);
          return mine.size() != into.size() ||
                 !std::ranges::equal(
                     mine, into, {}, [](auto const& e) { return e.first; }, [](auto const& e) { return e.first; });
        })) {
      for (auto const a : atoms)
        put_back(a, "its masked channels are read in too many ways for one constant channel to stand for them");
      return;
    }
    for (auto const& [node, target] : into) {
      auto const& sum = *map_.flows[node].sum;
      auto const inputs = map_.set.tensors[sum.weight].extents[1];
      merged_columns merged{sum.weight, target.channel % inputs, {}};
      for (auto const a : atoms)
        if (auto const mine = borders(a); a != kept)
          merged.from.push_back({a, mine.at(node).channel % inputs, *mine.at(node).constant / *target.constant});
      plan_.merged.push_back(std::move(merged));
    }
    put_back(kept, "it stands for all constant channels of its layer");
  }

  channel_map const& map_;
  dead_paths const& paths_;
  channel_constants const& constants_;
  std::vector<char>& removed_;
  std::vector<whole_tensor>& whole_;
  std::vector<std::vector<read>> reads_;  ///< by atom
  constant_plan plan_;
};

/// Measures the constants of the removed atoms in the masked network and decides where they go.
template <class Network>
[[nodiscard]] constant_plan plan_constants(Network const& masked, channel_map const& map, dead_paths const& paths,
                                           std::vector<tensor_of<Network>> const& inputs, bool constant_channel,
                                           std::vector<char>& removed, std::vector<whole_tensor>& whole) {
  std::set<std::size_t> nodes;
  for (auto const& flow : map.flows)
    if (flow.sum) nodes.insert(flow.sum->input);
  auto const constants = constants_at(masked, nodes, inputs);
  return constant_planning(map, paths, constants, removed, whole).run(constant_channel);
}

/// What the biases of the readers take up when these atoms go.
template <class Network>
[[nodiscard]] bias_amounts amounts_of(Network& masked, channel_map const& map, constant_plan const& plan,
                                      std::vector<char> const& atoms) {
  bias_amounts result;
  for (auto const& [node, constants] : plan.folded) {
    auto const& sum = *map.flows[node].sum;
    auto const& extents = map.set.tensors[sum.weight].extents;
    auto const weights = values_of(*masked.parameters()[sum.weight].value);
    auto const inputs = extents[1];
    auto const taps = element_count(extents) / (extents[0] * inputs);
    auto const outputs = extents[0] / sum.groups;
    std::vector<double> amounts(extents[0]);
    bool any = false;
    for (std::size_t k = 0; k < constants.size(); ++k) {
      auto const a = map.atom_of[sum.input][k];
      if (constants[k] == 0 || a == channel_map::none || !atoms[a]) continue;
      any = true;
      for (auto o = k / inputs * outputs; o < (k / inputs + 1) * outputs; ++o)
        for (std::size_t t = 0; t < taps; ++t)
          amounts[o] += constants[k] * static_cast<double>(weights[(o * inputs + k % inputs) * taps + t]);
    }
    if (any) result.emplace(node, std::move(amounts));
  }
  return result;
}

/// Adds the columns of these atoms to the columns that stand for them.
template <class Network>
void merge_columns(Network& network, channel_map const& map, constant_plan const& plan, std::vector<char> const& atoms) {
  using array = tensor_of<Network>;
  for (auto const& each : plan.merged) {
    auto const& extents = map.set.tensors[each.weight].extents;
    axis_layout const layout(extents, 1);
    auto& weight = *network.parameters()[each.weight].value;
    auto values = values_of(weight);
    for (auto const& from : each.from)
      if (atoms[from.atom])
        for (std::size_t o = 0; o < layout.outer; ++o)
          for (std::size_t t = 0; t < layout.inner; ++t) {
            auto const row = o * layout.extent;
            values[(row + each.into) * layout.inner + t] +=
                static_cast<value_type<array>>(from.ratio * static_cast<double>(values[(row + from.column) * layout.inner + t]));
          }
    weight = make_tensor<array>(extents, values, weight);
  }
}

/// The masks of the columns that stand for others: what any of them keeps.
inline void merge_columns(mask_set& masks, channel_map const& map, constant_plan const& plan, std::vector<char> const& atoms) {
  for (auto const& each : plan.merged)
    for (auto& kept : masks) {
      if (kept.name() != map.set.tensors[each.weight].name) continue;
      axis_layout const layout(kept.extents(), 1);
      for (auto const& from : each.from)
        if (atoms[from.atom])
          for (std::size_t o = 0; o < layout.outer; ++o)
            for (std::size_t t = 0; t < layout.inner; ++t)
              if (kept[(o * layout.extent + from.column) * layout.inner + t])
                kept.set((o * layout.extent + each.into) * layout.inner + t, true);
    }
}

}  // namespace lnpt::detail
