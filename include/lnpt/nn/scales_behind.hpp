#pragma once
/// Which batch norm scales what a weight gives.
#include <cstddef>
#include <optional>
#include <variant>
#include <vector>

#include <lnpt/nn/network_body.hpp>

namespace lnpt::nn {

/// The node whose channels this one shows as they are, in another layout; the node itself where it computes something.
template <class Graph>
[[nodiscard]] std::size_t behind_layout(Graph const& graph, std::size_t node) {
  if (auto const* const rules = std::get_if<flatten>(&graph[node])) return behind_layout(graph, rules->input);
  if (auto const* const rules = std::get_if<unflatten>(&graph[node])) return behind_layout(graph, rules->input);
  return node;
}

/// By parameter: of the weight of a convolution or linear layer the scales γ of the batch norm that reads what the layer gives. None where
/// no batch norm reads it, or several do.
template <class Backend>
[[nodiscard]] std::vector<std::optional<std::size_t>> scales_behind(network_body<Backend> const& body) {
  std::vector<std::vector<std::size_t>> readers(body.parameters.size());
  for (auto const& node : body.graph.nodes()) {
    auto const* const norm = std::get_if<batch_norm>(&node.rules);
    if (norm == nullptr || !norm->scale) continue;
    std::visit(
        [&](auto const& rules) {
          if constexpr (requires { rules.weight; }) readers[rules.weight].push_back(*norm->scale);
        },
        body.graph[behind_layout(body.graph, norm->input)]);
  }
  std::vector<std::optional<std::size_t>> found(readers.size());
  for (std::size_t i = 0; i < readers.size(); ++i)
    if (readers[i].size() == 1) found[i] = readers[i].front();
  return found;
}

}  // namespace lnpt::nn
