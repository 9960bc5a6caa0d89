#pragma once
/// Multiply–adds of a network, parameter by parameter.
#include <cstddef>
#include <variant>
#include <vector>

#include <lnpt/structure/shapes.hpp>

namespace lnpt {

/// Multiply–adds of every parameter for one input: of convolution and linear weights, wherever they
/// are used, 0 for the others.
template <class Network>
[[nodiscard]] std::vector<std::size_t> multiply_adds(Network& network, shape const& input) {
  auto const parameters = parameter_shapes(network);
  auto const outputs = node_shapes(network, input);
  std::vector<std::size_t> costs(parameters.size());
  for (std::size_t i = 1; i < outputs.size(); ++i) {
    auto const places = outputs[i].size() == 4 ? outputs[i][2] * outputs[i][3] : 1;  // at which each weight is used once
    std::visit(
        [&](auto const& layer) {
          if constexpr (requires { layer.weight; }) costs[layer.weight] += places * element_count(parameters[layer.weight]);
        },
        network.nodes()[i].rules);
  }
  return costs;
}

}  // namespace lnpt
