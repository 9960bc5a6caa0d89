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

/// A model that shows the feature maps of its convolutions itself: `visit_maps(trace, f)` calls f(weight, values, extents), the values of
/// [C, N, H, W], row-major, for each, in the order of execution.
template <class Model>
concept visits_maps = requires(Model const& model, typename Model::trace const& trace) {
  model.visit_maps(trace, [](std::size_t, auto const&, shape const&) {});
};

/// A model whose feature maps can be looked at.
template <class Model>
concept shows_maps = shows_layers<Model> || visits_maps<Model>;

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

/// Calls `f(weight, values, extents)` for the feature maps of every convolution of a trace.
template <shows_maps Model, class F>
void for_each_maps(Model& model, typename Model::trace const& trace, F f) {
  if constexpr (visits_maps<Model>) {
    model.visit_maps(trace, f);
  } else {
    auto const outputs = filter_outputs(model);
    model.watch(trace, [&](std::size_t node, auto const& output) {
      for (auto const& each : outputs)
        if (each.node == node) f(each.weight, values_of(output), Model::backend::extents(output));
    });
  }
}

/// The worth of every filter by the feature maps of a trace, shared out among its weights: `worth(maps, extents)` gives that of every filter
/// of one convolution, whose maps are the values of [C, N, H, W], row-major. Where several convolutions share a weight it is their mean.
template <shows_maps Model, class Worth>
[[nodiscard]] gradients<tensor_of<Model>> worth_by_maps(Model& model, typename Model::trace const& trace, Worth worth) {
  struct uses {
    std::vector<double> sum;
    double count = 0;
  };
  auto const parameters = model.parameters();
  std::map<std::size_t, uses> by_weight;
  for_each_maps(model, trace, [&](std::size_t weight, auto const& maps, shape const& extents) {
    require_finite_values(maps, "the feature maps of " + parameters[weight].name, "their filters cannot be ranked");
    std::vector<double> const here = worth(maps, extents);
    auto& all = by_weight[weight];
    all.sum.resize(here.size());
    for (std::size_t c = 0; c < here.size(); ++c) all.sum[c] += here[c];
    ++all.count;
  });
  gradients<tensor_of<Model>> found(parameters.size());
  for (auto& [weight, all] : by_weight) {
    for (auto& each : all.sum) each /= all.count;
    found[weight] = shared_out(parameters[weight], all.sum);
  }
  return found;
}

}  // namespace detail
}  // namespace lnpt
