#pragma once
/// A network without some of its channels.
#include <algorithm>
#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <lnpt/core/tensor.hpp>
#include <lnpt/structure/channel_map.hpp>

namespace lnpt {

/// The slices of a tensor that stay: of a parameter, its mask, its momentum. Axes that are not listed stay whole.
template <tensor T>
[[nodiscard]] T narrowed(T const& from, std::map<std::size_t, std::vector<std::size_t>> const& kept) {
  auto extents = shape_of(from);
  auto values = values_of(from);
  for (auto const& [axis, indices] : kept) {
    values = detail::narrowed(std::span<value_type<T> const>(values), extents, axis, indices);
    extents[axis] = indices.size();
  }
  return make_tensor<T>(extents, values, from);
}

/// The masks of what stays.
[[nodiscard]] inline mask_set narrowed(mask_set const& masks, kept_indices const& kept) {
  mask_set result;
  for (auto const& each : masks) {
    auto const found = kept.find(each.name());
    std::vector<char> bits(each.size());
    for (std::size_t i = 0; i < bits.size(); ++i) bits[i] = each[i];
    auto extents = each.extents();
    if (found != kept.end())
      for (auto const& [axis, indices] : found->second) {
        bits = detail::narrowed(std::span<char const>(bits), extents, axis, indices);
        extents[axis] = indices.size();
      }
    mask smaller(each.name(), extents, false);
    for (std::size_t i = 0; i < bits.size(); ++i) smaller.set(i, bits[i] != 0);
    result.add(std::move(smaller));
  }
  return result;
}

namespace detail {

/// How each layer changes when channels go. A layer without a rule does not compile.
struct removal_rule {
  channel_map const& map;
  std::vector<char> const& removed;  ///< atoms
  std::size_t at;                    ///< the node

  [[nodiscard]] std::size_t kept(std::size_t node, std::size_t begin, std::size_t end) const {
    std::size_t count = 0;
    for (auto c = begin; c < end; ++c) {
      auto const atom = map.atom_of[node][c];
      count += atom == channel_map::none || !removed[atom];
    }
    return count;
  }
  [[nodiscard]] std::size_t kept(std::size_t node) const { return kept(node, 0, map.flows[node].channels); }

  template <class Geometry>
  [[nodiscard]] nn::conv2d<Geometry> operator()(nn::conv2d<Geometry> layer) const {
    auto& groups = layer.geometry.groups;
    if (groups > 1 && groups == map.flows[layer.input].channels) groups = kept(layer.input);
    return layer;
  }
  [[nodiscard]] nn::subsample_pad operator()(nn::subsample_pad layer) const {
    layer.before = kept(at, 0, layer.before);
    layer.channels = kept(at);
    return layer;
  }

  [[nodiscard]] nn::pad operator()(nn::pad layer) const {
    auto const behind = layer.before + map.flows[layer.input].channels;
    layer.after = kept(at, behind, map.flows[at].channels);
    layer.before = kept(at, 0, layer.before);
    return layer;
  }
  /// Neighbours stay neighbours; of every n-th channel, only a removal of none or all can be said by a slice, as trial removal finds.
  [[nodiscard]] nn::slice operator()(nn::slice layer) const {
    auto& channels = layer.region.channels;
    if (channels.step == 1) {
      channels.start = kept(layer.input, 0, channels.start);
      channels.stop = channels.start + kept(at);
    }
    return layer;
  }

  [[nodiscard]] nn::leaf operator()(nn::leaf layer) const {
    layer.extents[0] = kept(at);
    return layer;
  }

  [[nodiscard]] nn::channel_shuffle operator()(nn::channel_shuffle layer) const { return layer; }
  [[nodiscard]] nn::upsample_nearest operator()(nn::upsample_nearest layer) const { return layer; }
  [[nodiscard]] nn::unflatten operator()(nn::unflatten layer) const { return layer; }
  [[nodiscard]] nn::input operator()(nn::input layer) const { return layer; }
  [[nodiscard]] nn::linear operator()(nn::linear layer) const { return layer; }
  [[nodiscard]] nn::batch_norm operator()(nn::batch_norm layer) const { return layer; }
  [[nodiscard]] nn::relu operator()(nn::relu layer) const { return layer; }
  [[nodiscard]] nn::activation operator()(nn::activation layer) const { return layer; }
  [[nodiscard]] nn::prelu operator()(nn::prelu layer) const { return layer; }
  template <class Window>
  [[nodiscard]] nn::max_pool<Window> operator()(nn::max_pool<Window> layer) const {
    return layer;
  }
  template <class Window>
  [[nodiscard]] nn::average_pool<Window> operator()(nn::average_pool<Window> layer) const {
    return layer;
  }
  template <class Window>
  [[nodiscard]] nn::adaptive_average_pool<Window> operator()(nn::adaptive_average_pool<Window> layer) const {
    return layer;
  }
  [[nodiscard]] nn::global_average_pool operator()(nn::global_average_pool layer) const { return layer; }
  [[nodiscard]] nn::flatten operator()(nn::flatten layer) const { return layer; }
  [[nodiscard]] nn::add operator()(nn::add layer) const { return layer; }
  [[nodiscard]] nn::multiply operator()(nn::multiply layer) const { return layer; }
  [[nodiscard]] nn::subtract operator()(nn::subtract layer) const { return layer; }
  [[nodiscard]] nn::divide operator()(nn::divide layer) const { return layer; }
  [[nodiscard]] nn::affine_constant operator()(nn::affine_constant layer) const { return layer; }
  [[nodiscard]] nn::concat operator()(nn::concat layer) const { return layer; }
};

/// Adds `amounts` to the bias of a convolution or linear layer, which gets one where it has none.
template <class Network, class Layer>
void add_to_bias(Network& network, Layer& layer, std::string const& name, std::vector<double> const& amounts) {
  using array = tensor_of<Network>;
  if constexpr (requires {
                  layer.bias;
                  layer.weight;
                }) {
    std::vector<value_type<array>> values(amounts.size());
    if (layer.bias) values = values_of(*network.parameters()[*layer.bias].value);
    for (std::size_t o = 0; o < values.size(); ++o)
      values[o] = static_cast<value_type<array>>(static_cast<double>(values[o]) + amounts[o]);
    auto bias = make_tensor<array>({values.size()}, values, *network.parameters()[layer.weight].value);
    if (layer.bias)
      *network.parameters()[*layer.bias].value = std::move(bias);
    else
      layer.bias = network.add_parameter(name + ".bias", role::bias, std::move(bias));
  }
}

}  // namespace detail

/// What the biases of layers take up, by node.
using bias_amounts = std::map<std::size_t, std::vector<double>>;

/// The network without the atoms that have `removed[a]`, after `amounts` were added to the biases of its layers.
///
/// Every tensor keeps its name and its order; convolutions that are depthwise and shortcuts that pad with zero channels follow.
template <class Backend>
[[nodiscard]] network<Backend> without(network<Backend>& from, channel_map const& map, std::vector<char> const& removed,
                                       bias_amounts const& amounts = {}) {
  network<Backend> result;
  for (auto const& p : from.parameters()) result.add_parameter(p.name, p.role, *p.value);
  for (auto const& b : from.buffers()) result.add_buffer(b.name, b.role, *b.value);
  for (std::size_t i = 1; i < from.nodes().size(); ++i) {
    auto const& [name, rules] = from.nodes()[i];
    auto layer = std::visit(
        [&](auto const& each) -> typename network<Backend>::layer { return detail::removal_rule{map, removed, i}(each); }, rules);
    if (auto const found = amounts.find(i); found != amounts.end())
      std::visit([&](auto& each) { detail::add_to_bias(result, each, name, found->second); }, layer);
    result.add_node(name, std::move(layer));
  }
  result.set_features(from.features_node());
  auto kept = kept_without(map.set, removed);
  for (auto const& [node, amount] : amounts) {
    auto const& sum = *map.flows[node].sum;
    if (sum.bias) continue;  // narrowed under its own name
    if (auto const found = kept.find(map.set.tensors[sum.weight].name); found != kept.end() && found->second.contains(0))
      kept[from.nodes()[node].name + ".bias"][0] = found->second.at(0);
  }
  auto const narrow = [&](auto const& views) {
    for (auto const& each : views)
      if (auto const found = kept.find(each.name); found != kept.end()) *each.value = narrowed(*each.value, found->second);
  };
  narrow(result.parameters());
  narrow(result.buffers());
  return result;
}

}  // namespace lnpt
