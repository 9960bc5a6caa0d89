#pragma once
/// The feature maps of every convolution, of the forward pass that scoring makes.
#include <cstddef>
#include <type_traits>
#include <variant>
#include <vector>

#include <lnpt/core/tensor.hpp>
#include <lnpt/nn/layer.hpp>

namespace lnpt {

/// A model that shows the outputs of its layers: `network` does.
template <class Model>
concept shows_layers = requires(Model const& model, typename Model::trace const& trace) {
  model.nodes();
  model.watch(trace, [](std::size_t, auto const&) {});
};

namespace detail {

/// A convolution's weight and the node at which its filters' maps are looked at.
struct filter_output {
  std::size_t weight, node;
};

/// Where the maps of every convolution are: behind the batch norm and the first activation function that read it alone, as far as they
/// follow at once.
template <class Network>
[[nodiscard]] std::vector<filter_output> filter_outputs(Network const& network) {
  auto const& nodes = network.nodes();
  std::vector<std::vector<std::size_t>> readers(nodes.size());
  for (std::size_t i = 1; i < nodes.size(); ++i)
    for (auto const from : nn::inputs_of(nodes[i].rules)) readers[from].push_back(i);
  std::vector<filter_output> found;
  for (std::size_t i = 1; i < nodes.size(); ++i)
    std::visit(
        [&](auto const& rules) {
          if constexpr (requires { rules.geometry.groups; }) {
            auto at = i;
            for (auto goes_on = true; goes_on && readers[at].size() == 1;) {
              auto const& next = nodes[readers[at].front()].rules;
              auto const* const norm = std::get_if<nn::batch_norm>(&next);
              auto const activates = std::holds_alternative<nn::relu>(next) || std::holds_alternative<nn::activation>(next) ||
                                     std::holds_alternative<nn::prelu>(next);
              goes_on = norm != nullptr && !norm->rectify;
              if (norm != nullptr || activates) at = readers[at].front();
            }
            found.push_back({rules.weight, at});
          }
        },
        nodes[i].rules);
  return found;
}

/// Calls `see(weight, maps, extents)` for every convolution of a trace: maps are the values of [C, N, H, W], row-major.
template <class Network, class See>
void for_each_feature_map(Network const& network, typename Network::trace const& trace, See see) {
  auto const outputs = filter_outputs(network);
  network.watch(trace, [&](std::size_t node, auto const& output) {
    for (auto const& each : outputs)
      if (each.node == node) see(each.weight, values_of(output), Network::backend::extents(output));
  });
}

}  // namespace detail
}  // namespace lnpt
