#pragma once
/// The feature maps of every convolution, of the forward pass that scoring makes.
#include <algorithm>
#include <cstddef>
#include <map>
#include <type_traits>
#include <variant>
#include <vector>

#include <lnpt/core/finite.hpp>
#include <lnpt/core/model.hpp>
#include <lnpt/core/tensor.hpp>
#include <lnpt/evidence/channel_values.hpp>
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

/// The worth of every filter by the feature maps of a trace, shared out among its weights: `worth(maps, extents)` gives that of every filter
/// of one convolution, whose maps are the values of [C, N, H, W], row-major. Where several convolutions share a weight it is their mean.
template <class Network, class Worth>
[[nodiscard]] gradients<tensor_of<Network>> worth_by_maps(Network& network, typename Network::trace const& trace, Worth worth) {
  auto const parameters = network.parameters();
  auto const outputs = filter_outputs(network);
  std::map<std::size_t, std::vector<double>> by_weight;
  network.watch(trace, [&](std::size_t node, auto const& output) {
    for (auto const& each : outputs) {
      if (each.node != node) continue;
      require_finite_values(values_of(output), "the feature maps of " + parameters[each.weight].name,
                            "their filters cannot be ranked");
      auto const uses = static_cast<double>(std::ranges::count(outputs, each.weight, &filter_output::weight));
      std::vector<double> const here = worth(values_of(output), Network::backend::extents(output));
      auto& mean = by_weight[each.weight];
      mean.resize(here.size());
      for (std::size_t c = 0; c < here.size(); ++c) mean[c] += here[c] / uses;
    }
  });
  gradients<tensor_of<Network>> found(parameters.size());
  for (auto const& [weight, mean] : by_weight) found[weight] = shared_out(parameters[weight], mean);
  return found;
}

}  // namespace detail
}  // namespace lnpt
