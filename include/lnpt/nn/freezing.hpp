#pragma once
/// Normalisation constants of a whole scoring batch.
#include <any>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <variant>
#include <vector>

#include <lnpt/autodiff/plain.hpp>
#include <lnpt/nn/network_body.hpp>
#include <lnpt/nn/shared_statistics.hpp>

namespace lnpt::nn {

/// The normalisation constants of a batch that comes in parts: each layer's moments over all parts, so that outputs equal train
/// mode's. The parts walk through the network side by side; no moment leaves the backend. `complete(Σ x, Σ x², values)` adds what other
/// processes have of a layer's sums.
template <class Backend, class Complete>
[[nodiscard]] normalization freeze(network_body<Backend> const& body, std::span<typename Backend::array const> parts,
                                   Complete const& complete) {
  using algebra_type = autodiff::plain<Backend>;
  auto const constants = std::make_shared<std::any>(frozen_constants<Backend>{});
  auto& moments = std::any_cast<frozen_constants<Backend>&>(*constants);
  normalization norm{norm_mode::frozen, constants};
  algebra_type algebra(nullptr, kept_table_of(body.parameters));
  auto const parameters = handles_of(body.parameters);
  auto const buffers = handles_of(body.buffers);
  std::vector<std::vector<node_state<algebra_type>>> states(parts.size());
  std::vector<std::function<void(std::size_t)>> drop;
  for (std::size_t p = 0; p < parts.size(); ++p) {
    states[p].resize(body.graph.size());
    states[p][0].output = body.entering(parts[p]);
    drop.push_back(body.drop_dead(states[p]));
  }
  for (std::size_t i = 1; i < body.graph.size(); ++i) {
    if (auto const* const bn = std::get_if<batch_norm>(&body.graph[i])) {
      std::vector<typename algebra_type::tensor> inputs;
      for (auto const& each : states) inputs.push_back(each[bn->input].output);
      moments.push_back(bn->batch_moments(inputs, algebra, body.graph.nodes()[i].name, complete));
    }
    for (std::size_t p = 0; p < parts.size(); ++p) {
      body.graph.forward_at(i, forward_pass<algebra_type>{algebra, states[p], parameters, buffers, norm}, states[p][i]);
      drop[p](i);
    }
  }
  return norm;
}
template <class Backend>
[[nodiscard]] normalization freeze(network_body<Backend> const& body, std::span<typename Backend::array const> parts) {
  return freeze(body, parts, [](auto const&, auto const&, auto const&) {});
}

/// The same over the parts of several processes, each of which calls this: `sum(numbers)` adds theirs.
template <channels_on_host Backend>
[[nodiscard]] normalization freeze_together(network_body<Backend> const& body, std::span<typename Backend::array const> parts,
                                            std::function<void(std::span<double>)> const& sum) {
  return freeze(body, parts, [&](auto& values, auto& squares, std::size_t& count) {
    auto all = static_cast<double>(count);
    add_up(sum, values, squares, all);
    count = static_cast<std::size_t>(all);
  });
}

}  // namespace lnpt::nn
