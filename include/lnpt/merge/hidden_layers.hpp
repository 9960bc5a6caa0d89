#pragma once
/// The layers of a network whose units can take up one another.
#include <concepts>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/core/tensor.hpp>
#include <lnpt/nn/layer.hpp>
#include <lnpt/nn/layer_links.hpp>

namespace lnpt {

/// A linear layer or convolution whose every unit passes alone, channel by channel, to the next such layer.
struct hidden_layer {
  std::string name;
  std::size_t node = 0;    ///< the layer itself
  std::size_t read = 0;    ///< the node that the next one reads
  std::size_t next = 0;    ///< the next linear layer or convolution
  std::size_t weight = 0;  ///< parameters
  std::size_t next_weight = 0;
  std::optional<std::size_t> bias = std::nullopt;
  std::optional<std::size_t> norm = std::nullopt;  ///< the batch norm that reads the layer
  std::size_t units = 0;
};

/// One unit removed and the unit that takes up its outgoing weights.
struct unit_pair {
  std::size_t removed = 0, into = 0;
  double saliency = 0;
};

namespace detail {

template <class Rules>
inline constexpr bool is_product = requires(Rules const& rules) {
  rules.weight;
  rules.bias;
};
template <class Rules>
inline constexpr bool is_convolution = is_product<Rules> && requires(Rules const& rules) { rules.geometry.groups; };

/// Whether channel c of a layer's output is a function of channel c of its input alone.
template <class Rules>
inline constexpr bool keeps_channels_apart =
    std::same_as<Rules, nn::batch_norm> || std::same_as<Rules, nn::relu> || std::same_as<Rules, nn::flatten> ||
    std::same_as<Rules, nn::global_average_pool> || std::same_as<Rules, nn::affine_constant> ||
    requires(Rules const& rules) { rules.window; } || requires(Rules const& rules) { rules.size; };

/// Refuses a node that is no part of a chain that merging covers.
template <class Node>
void require_covered(Node const& node, std::size_t at) {
  std::visit(
      [&](auto const& rules) {
        using layer = std::remove_cvref_t<decltype(rules)>;
        auto covered = is_product<layer> || keeps_channels_apart<layer>;
        if constexpr (std::same_as<layer, nn::unflatten>)
          covered = rules.size == per_axis{1};  // features to channels, one to one
        if constexpr (is_convolution<layer>) covered = rules.geometry.groups == 1;
        if (!covered || rules.inputs() != nn::links{at - 1})
          fail_request(
              "merging does not cover the layer \"", node.name,
              "\": it takes chains of linear layers, convolutions without groups, batch norm, ReLU, pools and flattening, each "
              "reading the one before");
      },
      node.rules);
}

}  // namespace detail

/// The hidden layers of a network, in order: every linear layer and convolution but the last. Refuses networks that are no chain of
/// layers which merging covers, naming the layer, and networks without a hidden layer.
template <class Network>
[[nodiscard]] std::vector<hidden_layer> hidden_layers(Network& network) {
  auto const& nodes = network.nodes();
  auto const parameters = network.parameters();
  std::vector<hidden_layer> layers;
  std::map<std::size_t, std::string> owners;
  for (std::size_t i = 1; i < nodes.size(); ++i) {
    detail::require_covered(nodes[i], i);
    std::visit(
        [&](auto const& rules) {
          using layer = std::remove_cvref_t<decltype(rules)>;
          if constexpr (detail::is_product<layer>) {
            if (auto const [owner, fresh] = owners.emplace(rules.weight, nodes[i].name); !fresh)
              fail_request("merging does not cover the layer \"", nodes[i].name, "\", which shares its weights with \"",
                           owner->second, "\": give each its own");
            if (!layers.empty()) {
              layers.back().read = i - 1;
              layers.back().next = i;
              layers.back().next_weight = rules.weight;
            }
            layers.push_back({.name = nodes[i].name,
                              .node = i,
                              .weight = rules.weight,
                              .bias = rules.bias,
                              .units = shape_of(*parameters[rules.weight].value).at(0)});
          } else if constexpr (std::same_as<layer, nn::batch_norm>) {
            auto const unflattened = std::holds_alternative<nn::unflatten>(nodes[i - 1].rules) ? 1U : 0U;
            if (!layers.empty() && layers.back().node + 1 + unflattened == i) layers.back().norm = i;
          }
        },
        nodes[i].rules);
  }
  if (layers.size() < 2)
    fail_request("there are no hidden units to merge in a network of ", layers.size(),
                 " linear layers and convolutions: pass one with a hidden layer");
  layers.pop_back();
  return layers;
}

}  // namespace lnpt
