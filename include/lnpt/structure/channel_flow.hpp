#pragma once
/// How the channels of every node of a network come from the channels it reads: one rule per layer.
#include <algorithm>
#include <cstddef>
#include <numeric>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/core/shape.hpp>
#include <lnpt/nn/network.hpp>
#include <lnpt/structure/shapes.hpp>

namespace lnpt {

/// One channel of the output of one node: of an image, or of a feature matrix.
struct node_channel {
  std::size_t node, channel;
};

/// The channels of one node.
struct channel_flow {
  /// A convolution or linear layer: each output channel is a weighted sum over the input channels of its group.
  struct product {
    std::size_t input;   ///< node
    std::size_t weight;  ///< parameter [outputs, inputs / groups, …]
    std::optional<std::size_t> bias = std::nullopt;
    std::size_t groups = 1;
    bool padded = false;  ///< reads zeros beyond the border
  };

  std::size_t channels = 0;
  std::optional<product> sum = std::nullopt;
  /// Without a product, one entry per channel: the channels it is computed from, one by one; an empty entry is a channel of zeros.
  std::vector<std::vector<node_channel>> from = {};
  /// Parameters and buffers with one value per channel.
  std::vector<std::size_t> parameters = {}, buffers = {};
  /// Channels that the layer itself needs to stay or go together.
  std::vector<std::vector<std::size_t>> together = {};
  /// Nodes of one channel that stretches to all of this node's, so that it stays when some of these go.
  std::vector<std::size_t> stretched = {};
};

namespace detail {

/// The number of channels of a node's output, [C, 1, H, W] or [1, F].
[[nodiscard]] inline std::size_t channels_of(shape const& output) { return output.size() == 4 ? output[0] : output[1]; }

/// The rule of each layer. A layer without one does not compile: say how its channels follow from its inputs'.
struct channel_rule {
  std::vector<channel_flow> const& known;
  std::vector<shape> const& outputs;     ///< of the nodes
  std::vector<shape> const& parameters;  ///< their extents
  std::size_t at;                        ///< the node

  [[nodiscard]] channel_flow operator()(nn::input const&) const { return {.channels = channels_of(outputs[at])}; }

  template <class Geometry>
  [[nodiscard]] channel_flow operator()(nn::conv2d<Geometry> const& layer) const {
    auto const& g = layer.geometry;
    return {.channels = channels_of(outputs[at]), .sum = {{layer.input, layer.weight, layer.bias, g.groups, g.padding != 0}}};
  }
  [[nodiscard]] channel_flow operator()(nn::linear const& layer) const {
    return {.channels = channels_of(outputs[at]), .sum = {{layer.input, layer.weight, layer.bias}}};
  }

  [[nodiscard]] channel_flow operator()(nn::batch_norm const& layer) const {
    auto flow = following({layer.input});
    flow.parameters = layer.parameters();
    flow.buffers = layer.buffers();
    return flow;
  }
  [[nodiscard]] channel_flow operator()(nn::relu const& layer) const { return following({layer.input}); }
  [[nodiscard]] channel_flow operator()(nn::activation const& layer) const { return following({layer.input}); }
  [[nodiscard]] channel_flow operator()(nn::prelu const& layer) const {
    auto flow = following({layer.input});
    if (parameters[layer.slope][0] == flow.channels) flow.parameters = {layer.slope};
    return flow;
  }
  template <class Window>
  [[nodiscard]] channel_flow operator()(nn::max_pool<Window> const& layer) const {
    return following({layer.input});
  }
  template <class Window>
  [[nodiscard]] channel_flow operator()(nn::average_pool<Window> const& layer) const {
    return following({layer.input});
  }
  template <class Window>
  [[nodiscard]] channel_flow operator()(nn::adaptive_average_pool<Window> const& layer) const {
    return following({layer.input});
  }
  [[nodiscard]] channel_flow operator()(nn::global_average_pool const& layer) const { return following({layer.input}); }
  [[nodiscard]] channel_flow operator()(nn::add const& layer) const { return following({layer.first, layer.second}); }

  [[nodiscard]] channel_flow operator()(nn::multiply const& layer) const { return following({layer.first, layer.second}); }
  [[nodiscard]] channel_flow operator()(nn::subtract const& layer) const { return following({layer.first, layer.second}); }
  [[nodiscard]] channel_flow operator()(nn::divide const& layer) const { return following({layer.first, layer.second}); }
  /// Its channels come from no others.
  [[nodiscard]] channel_flow operator()(nn::leaf const& layer) const {
    channel_flow flow{.channels = layer.extents[0]};
    flow.from.resize(flow.channels);
    flow.parameters = layer.parameters();
    flow.buffers = layer.buffers();
    return flow;
  }
  [[nodiscard]] channel_flow operator()(nn::affine_constant const& layer) const { return following({layer.input}); }

  /// Channel c becomes the H·W columns from c·H·W.
  [[nodiscard]] channel_flow operator()(nn::flatten const& layer) const {
    auto const area = outputs[layer.input].size() == 4 ? outputs[layer.input][2] * outputs[layer.input][3] : 1;
    return selecting(channels_of(outputs[at]), [&](std::size_t c) { return node_channel{layer.input, c / area}; });
  }

  [[nodiscard]] channel_flow operator()(nn::concat const& layer) const {
    channel_flow flow;
    for (auto const node : layer.images)
      for (std::size_t c = 0; c < known[node].channels; ++c) flow.from.push_back({{node, c}});
    flow.channels = flow.from.size();
    return flow;
  }

  [[nodiscard]] channel_flow operator()(nn::slice const& layer) const {
    auto const& channels = layer.region.channels;
    return selecting(channels_of(outputs[at]),
                     [&](std::size_t c) { return node_channel{layer.input, channels.start + c * channels.step}; });
  }
  [[nodiscard]] channel_flow operator()(nn::pad const& layer) const {
    channel_flow flow{.channels = channels_of(outputs[at])};
    flow.from.resize(flow.channels);
    for (std::size_t c = 0; c < known[layer.input].channels; ++c) flow.from[layer.before + c] = {{layer.input, c}};
    return flow;
  }
  /// The channels of a column of the shuffle are neighbours behind it, and go together.
  [[nodiscard]] channel_flow operator()(nn::channel_shuffle const& layer) const {
    auto const channels = channels_of(outputs[at]);
    auto const columns = channels / layer.groups;
    auto flow = selecting(
        channels, [&](std::size_t c) { return node_channel{layer.input, c % layer.groups * columns + c / layer.groups}; });
    for (std::size_t c = 0; c < channels; ++c) {
      if (c % layer.groups == 0) flow.together.emplace_back();
      flow.together.back().push_back(c);
    }
    return flow;
  }
  [[nodiscard]] channel_flow operator()(nn::upsample_nearest const& layer) const { return following({layer.input}); }
  /// Channel c is the H·W columns from c·H·W.
  [[nodiscard]] channel_flow operator()(nn::unflatten const& layer) const {
    auto const area = layer.size.h * layer.size.w;
    channel_flow flow{.channels = channels_of(outputs[at])};
    flow.from.resize(flow.channels);
    for (std::size_t i = 0; i < known[layer.input].channels; ++i) flow.from[i / area].push_back({layer.input, i});
    return flow;
  }

  [[nodiscard]] channel_flow operator()(nn::subsample_pad const& layer) const {
    channel_flow flow{.channels = layer.channels};
    flow.from.resize(layer.channels);
    for (std::size_t c = 0; c < known[layer.input].channels; ++c) flow.from[layer.before + c] = {{layer.input, c}};
    return flow;
  }

 private:
  /// Channel c from channel c of each input; a single channel stretches.
  [[nodiscard]] channel_flow following(std::vector<std::size_t> const& inputs) const {
    channel_flow flow{.channels = channels_of(outputs[at])};
    flow.from.resize(flow.channels);
    for (auto const node : inputs) {
      auto const stretches = known[node].channels == 1 && flow.channels > 1;
      if (stretches) flow.stretched.push_back(node);
      for (std::size_t c = 0; c < flow.channels; ++c) flow.from[c].push_back({node, stretches ? 0 : c});
    }
    return flow;
  }
  template <class Source>
  [[nodiscard]] static channel_flow selecting(std::size_t channels, Source source) {
    channel_flow flow{.channels = channels};
    for (std::size_t c = 0; c < channels; ++c) flow.from.push_back({source(c)});
    return flow;
  }
};

}  // namespace detail

/// The channels of every node of the network for one input [C, H, W] or [F].
template <class Network>
[[nodiscard]] std::vector<channel_flow> channel_flows(Network& network, shape const& input) {
  auto const outputs = node_shapes(network, input);
  auto const parameters = parameter_shapes(network);
  std::vector<channel_flow> flows;
  for (std::size_t i = 0; i < outputs.size(); ++i)
    flows.push_back(std::visit(detail::channel_rule{flows, outputs, parameters, i}, network.nodes()[i].rules));
  return flows;
}

}  // namespace lnpt
