#pragma once
/// The shapes of all nodes of a network, inferred from the shape of one input.
#include <cstddef>
#include <vector>

#include <lnpt/core/shape.hpp>
#include <lnpt/core/tensor.hpp>
#include <lnpt/nn/layer_links.hpp>

namespace lnpt {

/// The extents of every parameter, in the network's order.
template <class Network>
[[nodiscard]] std::vector<shape> parameter_shapes(Network& network) {
  std::vector<shape> result;
  for (auto const& p : network.parameters()) result.push_back(shape_of(*p.value));
  return result;
}

/// The output shape of every node for one input [C, H, W], [C, L] or [F]: [C, 1, H, W] or [1, F].
template <class Network>
[[nodiscard]] std::vector<shape> node_shapes(Network& network, shape const& input) {
  auto const parameters = parameter_shapes(network);
  std::vector<shape> known{input.size() == 1   ? shape{1, input[0]}
                           : input.size() == 2 ? shape{input[0], 1, 1, input[1]}
                                               : shape{input.at(0), 1, input.at(1), input.at(2)}};
  for (std::size_t i = 1; i < network.nodes().size(); ++i)
    known.push_back(nn::output_shape(network.nodes()[i].rules, known, parameters));
  return known;
}

}  // namespace lnpt
