#pragma once
/// The shapes of all nodes of a network, inferred from the shape of one input.
#include <concepts>
#include <cstddef>
#include <variant>
#include <vector>

#include <lnpt/core/shape.hpp>
#include <lnpt/core/tensor.hpp>
#include <lnpt/nn/flatten.hpp>
#include <lnpt/nn/graph.hpp>
#include <lnpt/nn/layer_links.hpp>
#include <lnpt/nn/pool.hpp>

namespace lnpt {

namespace detail {

/// The shape of a node's output, [C, 1, H, W] or [1, F], from the shapes of the nodes it reads.
struct shape_rule {
  std::vector<shape> const& known;
  std::vector<shape> const& parameters;

  template <class Layer>
  [[nodiscard]] shape operator()(Layer const& layer) const {
    if constexpr (requires { layer.infer(known[layer.input], parameters[layer.weight]); }) {
      return layer.infer(known[layer.input], parameters[layer.weight]);
    } else if constexpr (requires { layer.weight; }) {
      return {1, parameters[layer.weight][0]};
    } else if constexpr (requires { layer.window.out_shape(known[0]); }) {
      return layer.window.out_shape(known[layer.input]);
    } else if constexpr (requires { layer.images; }) {
      auto result = known[layer.images.front()];
      for (std::size_t i = 1; i < layer.images.size(); ++i) result[0] += known[layer.images[i]][0];
      return result;
    } else if constexpr (requires { layer.first; }) {
      return known[layer.first];
    } else if constexpr (requires {
                           layer.channels;
                           layer.stride;
                         }) {
      auto const& x = known[layer.input];
      return {layer.channels, x[1], (x[2] + layer.stride - 1) / layer.stride, (x[3] + layer.stride - 1) / layer.stride};
    } else if constexpr (std::same_as<Layer, nn::global_average_pool>) {
      return {1, known[layer.input][0]};
    } else if constexpr (std::same_as<Layer, nn::flatten>) {
      return {1, element_count(known[layer.input])};
    } else if constexpr (std::same_as<Layer, nn::input>) {
      return known[0];
    } else {
      return known[layer.input];
    }
  }
};

}  // namespace detail

/// The extents of every parameter, in the network's order.
template <class Network>
[[nodiscard]] std::vector<shape> parameter_shapes(Network& network) {
  std::vector<shape> result;
  for (auto const& p : network.parameters()) result.push_back(shape_of(*p.value));
  return result;
}

/// The output shape of every node for one input [C, H, W] or [F]: [C, 1, H, W] or [1, F].
template <class Network>
[[nodiscard]] std::vector<shape> node_shapes(Network& network, shape const& input) {
  auto const parameters = parameter_shapes(network);
  std::vector<shape> known{input.size() == 3 ? shape{input[0], 1, input[1], input[2]} : shape{1, input.at(0)}};
  for (std::size_t i = 1; i < network.nodes().size(); ++i)
    known.push_back(std::visit(detail::shape_rule{known, parameters}, network.nodes()[i].rules));
  return known;
}

}  // namespace lnpt
