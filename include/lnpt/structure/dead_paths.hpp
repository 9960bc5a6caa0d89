#pragma once
/// Which channels of a masked network can still carry anything from the input to the output.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/mask/mask_set.hpp>
#include <lnpt/structure/channel_map.hpp>

namespace lnpt {

/// The connectivity of one layer's weights under a mask.
struct layer_paths {
  std::string name;
  std::size_t total = 0, kept = 0;
  std::size_t effective = 0;       ///< kept weights on a path from the input to the output
  std::size_t outputs = 0;         ///< channels it produces
  std::size_t without_input = 0;   ///< of which nothing from the input reaches
  std::size_t without_output = 0;  ///< of which reach nothing of the output

  /// Whether the layer lets nothing through (layer collapse).
  [[nodiscard]] bool collapsed() const { return outputs != 0 && (without_input == outputs || without_output == outputs); }
};

/// The paths that a mask leaves. Effective sparsity counts weights on no path from input to output as removed: Vysogorets, Kempe,
/// "Connectivity Matters", JMLR 2023, arXiv:2107.02306.
struct dead_paths {
  std::vector<layer_paths> layers;         ///< every convolution and linear layer
  std::vector<std::vector<char>> varies;   ///< node, channel: whether anything from the input reaches it
  std::vector<std::vector<char>> matters;  ///< node, channel: whether it reaches anything of the output

  [[nodiscard]] double nominal_sparsity() const { return removed(&layer_paths::kept); }
  [[nodiscard]] double effective_sparsity() const { return removed(&layer_paths::effective); }
  /// Weights on a path from the input to the output.
  [[nodiscard]] std::size_t effective() const { return sum(&layer_paths::effective); }
  /// The names of layers that let nothing through.
  [[nodiscard]] std::vector<std::string> collapsed() const {
    std::vector<std::string> names;
    for (auto const& layer : layers)
      if (layer.collapsed()) names.push_back(layer.name);
    return names;
  }

 private:
  [[nodiscard]] std::size_t sum(std::size_t layer_paths::* count) const {
    std::size_t total = 0;
    for (auto const& layer : layers) total += layer.*count;
    return total;
  }
  [[nodiscard]] double removed(std::size_t layer_paths::* count) const {
    auto const total = sum(&layer_paths::total);
    return total == 0 ? 0.0 : static_cast<double>(total - sum(count)) / static_cast<double>(total);
  }
};

namespace detail {

/// How many weights of every kernel (output, input of its group) a mask keeps.
class kernel_counts {
 public:
  kernel_counts(sliced_tensor const& weight, std::size_t groups, mask const* kept)
      : outputs_(weight.extents[0]), inputs_(weight.extents[1]), groups_(groups), counts_(outputs_ * inputs_) {
    auto const taps = counts_.empty() ? 0 : element_count(weight.extents) / counts_.size();
    for (std::size_t i = 0; i < counts_.size(); ++i)
      for (std::size_t k = 0; k < taps; ++k) counts_[i] += kept == nullptr || (*kept)[i * taps + k];
  }

  /// Calls `visit(output, channel read, kept weights)` for every kernel that keeps any.
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (std::size_t o = 0; o < outputs_; ++o)
      for (std::size_t k = 0; k < inputs_; ++k)
        if (auto const count = counts_[o * inputs_ + k]) visit(o, o / (outputs_ / groups_) * inputs_ + k, count);
  }

 private:
  std::size_t outputs_, inputs_, groups_;
  std::vector<std::uint32_t> counts_;
};

/// One walk from the input and one from the output.
class path_walk {
 public:
  path_walk(channel_map const& map, mask_set const& masks) : map_(map) {
    for (auto const& flow : map.flows) {
      result_.varies.emplace_back(flow.channels);
      result_.matters.emplace_back(flow.channels);
      auto& kernels = kernels_.emplace_back();
      if (!flow.sum) continue;
      auto const& weight = map.set.tensors[flow.sum->weight];
      auto const* const kept = masks.find(weight.name);
      if (kept != nullptr && kept->extents() != weight.extents)
        fail("the mask of ", weight.name, " has the shape ", list(kept->extents()), ", the parameter ", list(weight.extents),
             ": pass masks that were made for this model");
      kernels.emplace(weight, flow.sum->groups, kept);
    }
    walk_forward();
    walk_back();
    for (std::size_t i = 0; i < map.flows.size(); ++i)
      if (map.flows[i].sum) count(i);
  }
  [[nodiscard]] dead_paths take() && { return std::move(result_); }

 private:
  void walk_forward() {
    std::ranges::fill(result_.varies.front(), 1);
    for (std::size_t i = 1; i < map_.flows.size(); ++i) {
      auto& mine = result_.varies[i];
      if (auto const& flow = map_.flows[i]; flow.sum)
        kernels_[i]->for_each([&](std::size_t o, std::size_t k, auto) { mine[o] |= result_.varies[flow.sum->input][k]; });
      else
        for (std::size_t c = 0; c < mine.size(); ++c)
          for (auto const& source : flow.from[c]) mine[c] |= result_.varies[source.node][source.channel];
    }
  }
  void walk_back() {
    std::ranges::fill(result_.matters.back(), 1);
    for (auto i = map_.flows.size(); i-- > 1;) {
      auto const& mine = result_.matters[i];
      if (auto const& flow = map_.flows[i]; flow.sum)
        kernels_[i]->for_each([&](std::size_t o, std::size_t k, auto) { result_.matters[flow.sum->input][k] |= mine[o]; });
      else
        for (std::size_t c = 0; c < mine.size(); ++c)
          for (auto const& source : flow.from[c]) result_.matters[source.node][source.channel] |= mine[c];
    }
  }
  void count(std::size_t i) {
    auto const& sum = *map_.flows[i].sum;
    auto const& weight = map_.set.tensors[sum.weight];
    layer_paths layer{.name = weight.name, .total = element_count(weight.extents), .outputs = map_.flows[i].channels};
    kernels_[i]->for_each([&](std::size_t o, std::size_t k, std::size_t kept) {
      layer.kept += kept;
      if (result_.varies[sum.input][k] && result_.matters[i][o]) layer.effective += kept;
    });
    layer.without_input = static_cast<std::size_t>(std::ranges::count(result_.varies[i], 0));
    layer.without_output = static_cast<std::size_t>(std::ranges::count(result_.matters[i], 0));
    result_.layers.push_back(std::move(layer));
  }

  channel_map const& map_;
  std::vector<std::optional<kernel_counts>> kernels_;
  dead_paths result_;
};

}  // namespace detail

/// The paths that the masks leave open; parameters without a mask are dense.
[[nodiscard]] inline dead_paths dead_paths_of(channel_map const& map, mask_set const& masks) {
  return detail::path_walk(map, masks).take();
}

/// Atoms that carry nothing: wherever one of their channels is read, nothing from the input reaches it or it reaches nothing of the output.
[[nodiscard]] inline std::vector<char> dead_atoms(channel_map const& map, dead_paths const& paths) {
  std::vector<char> dead(map.set.atoms.size(), 1);
  for (std::size_t i = 1; i < map.flows.size(); ++i) {
    auto const& sum = map.flows[i].sum;
    if (!sum) continue;
    auto const& read = map.atom_of[sum->input];
    for (std::size_t k = 0; k < read.size(); ++k)
      if (read[k] != channel_map::none && paths.varies[sum->input][k] && paths.matters[sum->input][k]) dead[read[k]] = 0;
  }
  return dead;
}

}  // namespace lnpt
