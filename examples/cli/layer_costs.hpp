#pragma once
/// What a network computes: shapes inferred through its graph, and multiply–adds.
#include <cstddef>
#include <variant>
#include <vector>

#include <lnpt/nn/layer_links.hpp>

#include "scoring.hpp"

namespace cli {

namespace detail {

/// The shape of a node's output, [C, 1, H, W] or [1, F], from the shapes of the nodes it reads.
struct shape_rule {
  std::vector<lnpt::shape> const& known;
  std::vector<lnpt::shape> const& parameters;

  template <class Layer>
  [[nodiscard]] lnpt::shape operator()(Layer const& layer) const {
    if constexpr (requires { layer.infer(known[layer.input], parameters[layer.weight]); }) {
      return layer.infer(known[layer.input], parameters[layer.weight]);
    } else if constexpr (requires { layer.weight; }) {
      return {1, parameters[layer.weight][0]};
    } else if constexpr (requires { layer.window.out_shape(known[0]); }) {
      return layer.window.out_shape(known[layer.input]);
    } else if constexpr (requires { layer.inputs; }) {
      auto result = known[layer.inputs.front()];
      for (std::size_t i = 1; i < layer.inputs.size(); ++i) result[0] += known[layer.inputs[i]][0];
      return result;
    } else if constexpr (requires { layer.first; }) {
      return known[layer.first];
    } else if constexpr (requires {
                           layer.channels;
                           layer.stride;
                         }) {
      auto const& x = known[layer.input];
      return {layer.channels, x[1], (x[2] + layer.stride - 1) / layer.stride, (x[3] + layer.stride - 1) / layer.stride};
    } else if constexpr (std::same_as<Layer, lnpt::nn::global_average_pool>) {
      return {1, known[layer.input][0]};
    } else if constexpr (std::same_as<Layer, lnpt::nn::flatten>) {
      return {1, lnpt::element_count(known[layer.input])};
    } else if constexpr (std::same_as<Layer, lnpt::nn::input>) {
      return known[0];
    } else {
      return known[layer.input];
    }
  }
};

}  // namespace detail

/// Multiply–adds of every parameter for one input: of convolution and linear weights, 0 for the others.
template <class Network>
[[nodiscard]] std::vector<std::size_t> multiply_adds(Network& network, lnpt::shape const& input) {
  std::vector<lnpt::shape> parameters;
  for (auto const& p : network.parameters()) parameters.push_back(lnpt::shape_of(*p.value));
  std::vector<std::size_t> costs(parameters.size());
  std::vector<lnpt::shape> known{input.size() == 3 ? lnpt::shape{input[0], 1, input[1], input[2]} : lnpt::shape{1, input.at(0)}};
  for (std::size_t i = 1; i < network.nodes().size(); ++i) {
    auto const& rules = network.nodes()[i].rules;
    known.push_back(std::visit(detail::shape_rule{known, parameters}, rules));
    auto const places = known.back().size() == 4 ? known.back()[2] * known.back()[3] : 1;  // at which each weight is used once
    std::visit(
        [&](auto const& layer) {
          if constexpr (requires { layer.weight; }) costs[layer.weight] = places * lnpt::element_count(parameters[layer.weight]);
        },
        rules);
  }
  return costs;
}

}  // namespace cli
