#pragma once
/// The atoms of the library's own networks, from the rules of their layers.
#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <lnpt/structure/atoms.hpp>
#include <lnpt/structure/channel_flow.hpp>
#include <lnpt/structure/multiply_adds.hpp>
#include <lnpt/structure/union_find.hpp>

namespace lnpt {

/// The atoms of a network, and the atom of every channel of every node.
struct channel_map {
  static constexpr std::size_t none = std::numeric_limits<std::size_t>::max();  ///< of a channel that is never removed

  std::vector<channel_flow> flows;
  atom_set set;
  std::vector<std::vector<std::size_t>> atom_of;  ///< node, channel → atom
};

namespace detail {

/// Joins what lives or dies together. Elements are the slices of tensors along their first two axes, the channels of nodes that no
/// weight produces, and the reasons for staying.
template <class Network>
class channel_coupling {
 public:
  channel_coupling(Network& network, shape const& input) {
    map_.flows = channel_flows(network, input);
    list_tensors(network, input);
    for (std::size_t i = 0; i < map_.flows.size(); ++i) couple(i);
    for (auto const c : channels_.back()) sets_.join(c, reasons_ + returned);
    name_atoms();
  }
  [[nodiscard]] channel_map take() && { return std::move(map_); }

 private:
  /// Why something is never removed.
  enum reason : std::size_t { entering, returned, reason_count };

  void list_tensors(Network& network, shape const& input) {
    auto const costs = multiply_adds(network, input);
    auto& tensors = map_.set.tensors;
    for (auto const& p : network.parameters()) {
      auto const size = size_of(*p.value);
      tensors.push_back({p.name, shape_of(*p.value), p.role, size == 0 ? 0 : costs[tensors.size()] / size});
    }
    parameters_ = tensors.size();
    for (auto const& b : network.buffers()) tensors.push_back({b.name, shape_of(*b.value), b.role});
    for (auto const& tensor : tensors) {
      std::array<std::size_t, 2> first{};
      for (std::size_t axis = 0; axis < std::min<std::size_t>(2, tensor.extents.size()); ++axis)
        first[axis] = sets_.add(tensor.extents[axis]);
      slices_.push_back(first);
    }
    reasons_ = sets_.add(reason_count);
  }

  [[nodiscard]] std::size_t slice(std::size_t tensor, std::size_t axis, std::size_t i) const { return slices_[tensor][axis] + i; }

  void couple(std::size_t i) {
    auto const& flow = map_.flows[i];
    auto& mine = channels_.emplace_back();
    if (i == 0) {
      mine.assign(flow.channels, reasons_ + entering);
    } else if (flow.sum) {
      couple_product(*flow.sum, mine);
    } else {
      auto const first = sets_.add(flow.channels);
      for (std::size_t c = 0; c < flow.channels; ++c) {
        mine.push_back(first + c);
        for (auto const& source : flow.from[c])
          if (std::ranges::find(flow.stretched, source.node) == flow.stretched.end())
            sets_.join(mine[c], channels_[source.node][source.channel]);
      }
    }
    for (std::size_t c = 0; c < flow.channels; ++c) {
      for (auto const p : flow.parameters) sets_.join(slice(p, 0, c), mine[c]);
      for (auto const b : flow.buffers) sets_.join(slice(parameters_ + b, 0, c), mine[c]);
    }
    for (auto const& group : flow.together)
      for (auto const c : group) sets_.join(mine[c], mine[group.front()]);
  }

  /// Dense: row o is a channel of its own, column k reads channel k. Grouped: so is one channel of every group, so that the groups stay
  /// equal. Depthwise: channel r belongs to the channel r / multiplier that it reads.
  void couple_product(channel_flow::product const& sum, std::vector<std::size_t>& mine) {
    auto const& extents = map_.set.tensors[sum.weight].extents;
    auto const& read = channels_[sum.input];
    auto const outputs = extents[0] / sum.groups;
    auto const inputs = extents[1];
    auto const depthwise = sum.groups > 1 && inputs == 1;
    for (std::size_t r = 0; r < extents[0]; ++r) {
      mine.push_back(slice(sum.weight, 0, r));
      if (sum.bias) sets_.join(slice(*sum.bias, 0, r), mine[r]);
      if (depthwise)
        sets_.join(mine[r], read[r / outputs]);
      else
        sets_.join(mine[r], mine[r % outputs]);
      if (map_.set.tensors[sum.weight].role == role::classifier_weight) sets_.join(mine[r], reasons_ + returned);
    }
    if (depthwise) {
      depthwise_.push_back(sum.weight);
      return;
    }
    for (std::size_t k = 0; k < read.size(); ++k) sets_.join(slice(sum.weight, 1, k % inputs), read[k]);
  }

  [[nodiscard]] slice_role role_of(std::size_t tensor, std::size_t axis) const {
    if (!is_prunable(map_.set.tensors[tensor].role) || std::ranges::count(depthwise_, tensor) != 0) return slice_role::other;
    return axis == 0 ? slice_role::row : slice_role::column;
  }

  void name_atoms() {
    std::map<std::size_t, atom> found;
    for (std::size_t t = 0; t < slices_.size(); ++t)
      for (std::size_t axis = 0; axis < std::min<std::size_t>(2, map_.set.tensors[t].extents.size()); ++axis)
        for (std::size_t i = 0; i < map_.set.tensors[t].extents[axis]; ++i) add_slice(found[root(slice(t, axis, i))], t, axis, i);
    auto const enters = root(reasons_ + entering);
    auto const returns = root(reasons_ + returned);
    std::vector<std::pair<std::size_t, atom>> free;
    for (auto& [at, each] : found) {
      auto const read = std::ranges::count(each.slices, slice_role::column, &tensor_slices::role) != 0;
      auto const made = std::ranges::count(each.slices, slice_role::row, &tensor_slices::role) != 0;
      if (at == returns || at == enters || !read)
        explain(each, at == returns  ? "its channels are returned"
                      : at == enters ? "its channels are joined with the network's input"
                                     : "nothing reads its channels");
      else if (made)
        free.emplace_back(at, std::move(each));
    }
    std::ranges::sort(free, {}, [](auto const& entry) {
      auto const& first = entry.second.slices.front();
      return std::pair(first.tensor, std::pair(first.axis, first.indices.front()));
    });
    std::map<std::size_t, std::size_t> numbers;
    for (auto& [at, each] : free) {
      numbers.emplace(at, map_.set.atoms.size());
      map_.set.atoms.push_back(std::move(each));
    }
    for (auto const& channels : channels_) {
      auto& atoms = map_.atom_of.emplace_back();
      for (auto const c : channels) {
        auto const number = numbers.find(root(c));
        atoms.push_back(number == numbers.end() ? channel_map::none : number->second);
      }
    }
  }

  [[nodiscard]] std::size_t root(std::size_t a) { return sets_.find(a); }

  void add_slice(atom& to, std::size_t tensor, std::size_t axis, std::size_t i) const {
    if (to.slices.empty() || to.slices.back().tensor != tensor || to.slices.back().axis != axis)
      to.slices.push_back({tensor, axis, role_of(tensor, axis), {}});
    to.slices.back().indices.push_back(i);
  }

  /// The producing weights among slices that stay, each once for each reason.
  void explain(atom const& pinned, std::string const& why) {
    auto& whole = map_.set.whole;
    for (auto const& each : pinned.slices) {
      auto const& name = map_.set.tensors[each.tensor].name;
      auto const known = [&](whole_tensor const& w) { return w.name == name && w.reason == why; };
      if (each.role == slice_role::row && std::ranges::none_of(whole, known)) whole.push_back({name, why});
    }
  }

  channel_map map_;
  union_find sets_;
  std::vector<std::array<std::size_t, 2>> slices_;  ///< tensor, axis → its first element
  std::vector<std::vector<std::size_t>> channels_;  ///< node, channel → element
  std::vector<std::size_t> depthwise_;              ///< weights
  std::size_t parameters_ = 0, reasons_ = 0;
};

}  // namespace detail

/// The atoms of a network of the library's own engine, for inputs of this shape, [C, H, W] or [F].
///
/// Never removed: what reaches the output (the classes among it), what nothing reads, what is joined with the network's input.
template <class Network>
[[nodiscard]] channel_map channel_map_of(Network& network, shape const& input) {
  return detail::channel_coupling<Network>(network, input).take();
}

}  // namespace lnpt
