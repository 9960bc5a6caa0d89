#pragma once
/// Convolutions whose filters are nobody else's business.
#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <lnpt/core/shape.hpp>
#include <lnpt/structure/channel_map.hpp>

namespace lnpt {

namespace detail {

/// The place of the one tensor among an atom's slices for which `is` holds, if its index there is `index`; none where there are others.
template <class Is>
[[nodiscard]] std::optional<std::size_t> only_slice(atom const& of, std::size_t index, Is is) {
  std::optional<std::size_t> found;
  for (auto const& each : of.slices) {
    if (!is(each)) continue;
    if (found || each.indices != std::vector{index}) return std::nullopt;
    found = each.tensor;
  }
  return found;
}

/// "conv1" of "conv1.weight".
[[nodiscard]] inline std::string layer_of(std::string const& parameter) { return parameter.substr(0, parameter.rfind('.')); }

}  // namespace detail

/// The convolutions of a network whose filters can go one by one, each with the batch norm that reads it: name of the layer, name of the
/// norm. Left out are the first convolution, filters that a sum or a depthwise convolution couples with others, and those that several
/// norms read or none. In a ResNet these are the inner convolutions of the blocks, in a VGG all but the first.
template <class Network>
[[nodiscard]] std::vector<std::pair<std::string, std::string>> inner_filters(Network& network, shape const& input) {
  auto const map = channel_map_of(network, input);
  auto const& tensors = map.set.tensors;
  std::map<std::size_t, std::pair<std::size_t, std::size_t>> norm_and_count;  // by weight
  for (auto const& each : map.set.atoms) {
    auto const row = std::ranges::find(each.slices, slice_role::row, &tensor_slices::role);
    if (each.rows() != 1 || row == each.slices.end() || tensors[row->tensor].extents.size() != 4) continue;
    auto const coupled = [&](tensor_slices const& s) {
      return s.role == slice_role::other && is_prunable(tensors[s.tensor].role);
    };
    if (std::ranges::any_of(each.slices, coupled)) continue;
    auto const norm = detail::only_slice(each, row->indices.front(),
                                         [&](tensor_slices const& s) { return tensors[s.tensor].role == role::norm_scale; });
    if (!norm) continue;
    auto& [of, count] = norm_and_count.try_emplace(row->tensor, *norm, 0).first->second;
    count += of == *norm;
  }
  for (auto const& flow : map.flows)
    if (flow.sum && flow.sum->input == 0) norm_and_count.erase(flow.sum->weight);
  std::vector<std::pair<std::string, std::string>> found;
  for (auto const& [weight, entry] : norm_and_count)
    if (entry.second == tensors[weight].extents[0])
      found.emplace_back(detail::layer_of(tensors[weight].name), detail::layer_of(tensors[entry.first].name));
  return found;
}

}  // namespace lnpt
