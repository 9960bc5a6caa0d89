#pragma once
/// What a network consists of, and what every pass over it needs.
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/core/model.hpp>
#include <lnpt/nn/held_array.hpp>
#include <lnpt/nn/layer.hpp>

namespace lnpt::nn {

/// Layers, parameters and buffers of a network over `Backend`.
template <class Backend>
struct network_body {
  using array = typename Backend::array;

  nn::graph<nn::layer<Backend>> graph = {};
  std::vector<held_array<array>> parameters = {}, buffers = {};
  std::size_t features = 0;                ///< the node that feeds the classifier
  typename Backend::context context = {};  ///< where new arrays are made

  [[nodiscard]] static std::shared_ptr<array const> entering(array const& batch) {
    return std::make_shared<array const>(Backend::from_batch(batch));
  }

  /// For a forward pass that nobody reverses: drops each state when the last node that reads it is done.
  template <class A>
  [[nodiscard]] auto drop_dead(std::vector<node_state<A>>& states) const {
    return after_last_use([&states](std::size_t j) { states[j] = {}; });
  }
  /// For one whose reverse pass computes again what is cheap: drops the outputs of such nodes.
  template <class A>
  [[nodiscard]] auto drop_restorable(std::vector<node_state<A>>& states) const {
    return after_last_use([&states, this](std::size_t j) {
      if (graph.restorable(j)) states[j].output = {};
    });
  }

  /// One flag per parameter.
  [[nodiscard]] std::vector<char> wanted(which_gradients which) const {
    std::vector<char> flags;
    for (auto const& p : parameters) flags.push_back(which == which_gradients::all || is_prunable(p.role));
    return flags;
  }

 private:
  /// Calls `drop(j)` when the last node that reads node j is done, but for what the prediction is made of.
  template <class Drop>
  [[nodiscard]] auto after_last_use(Drop drop) const {
    if (graph.nodes().empty()) fail("this network has no layers: it was moved from, or none was added");
    auto last_use = graph.last_uses();
    last_use[features] = graph.size();
    return [last_use = std::move(last_use), drop](std::size_t done) {
      for (std::size_t j = 0; j < done; ++j)
        if (last_use[j] == done) drop(j);
    };
  }
};

/// The gradients that a reverse pass found, as the model concepts have them: empty where the loss does not reach a parameter.
/// `handle_in(found)` is the array's handle in what the algebra calls a tensor.
template <class Array, class Tensor, class Handle>
[[nodiscard]] gradients<Array> released(std::vector<Tensor> found, Handle handle_in) {
  gradients<Array> result(found.size());
  for (std::size_t i = 0; i < found.size(); ++i)
    if (auto& handle = handle_in(found[i])) result[i] = release(std::move(handle));
  return result;
}

}  // namespace lnpt::nn
