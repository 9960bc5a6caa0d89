#pragma once
/// What a layer's rules see of the network while a pass goes through it.
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <lnpt/backend/image_extents.hpp>
#include <lnpt/core/model.hpp>
#include <lnpt/nn/layer_links.hpp>

namespace lnpt::nn {

/// What one node keeps of the forward pass for its reverse rule.
template <class Algebra>
struct node_state {
  typename Algebra::tensor output;
  std::vector<typename Algebra::channels> statistics;      ///< of batch norm, which names them
  decltype(typename Algebra::indices{}) chosen = nullptr;  ///< of max pooling
};

/// The forward pass: outputs of earlier nodes, parameters and buffers, in one algebra.
template <class Algebra>
struct forward_pass {
  using tensor = typename Algebra::tensor;

  Algebra& algebra;
  std::vector<node_state<Algebra>>& states;
  std::vector<tensor> const& parameters;
  std::vector<tensor> const& buffers;
  normalization const& norm;

  [[nodiscard]] tensor const& output(std::size_t node) const { return states[node].output; }
  [[nodiscard]] shape extents(tensor const& x) const { return Algebra::backend::extents(Algebra::value(x)); }
  [[nodiscard]] image_extents images(tensor const& x) const { return image_extents(extents(x)); }
  /// x, stretched to a shape where it has another.
  [[nodiscard]] tensor stretched(tensor const& x, shape const& to) const {
    return extents(x) == to ? x : algebra.broadcast(x, to);
  }
  /// The sum of a gradient over what was stretched.
  [[nodiscard]] tensor summed(tensor const& g, shape const& to) const { return extents(g) == to ? g : algebra.sum_to(g, to); }
};

/// The reverse pass: collects cotangents of nodes and gradients of parameters, but only those somebody wants.
template <class Algebra>
struct reverse_pass : forward_pass<Algebra> {
  using tensor = typename Algebra::tensor;

  std::vector<tensor>& cotangents;      ///< one per node; null where the loss does not reach it
  std::vector<tensor>& gradients;       ///< one per parameter
  std::vector<char> const& wants_node;  ///< nodes with a wanted parameter at or before them
  std::vector<char> const& wants_parameter;
  std::function<void(std::size_t)> const& restore;  ///< computes a node's output again from its input
  std::vector<std::size_t> const& like;             ///< by node one of the same extents whose output no trace drops
  std::vector<char> const& rectifying;              ///< nodes that end in a rectifier
  std::vector<char> gated = std::vector<char>(rectifying.size());  ///< nodes whose cotangents are 0 wherever their outputs are
  bool gated_here = false;                                         ///< whether that of the node at hand is

  /// The output of a node, computed again where the forward pass dropped it.
  [[nodiscard]] tensor const& output(std::size_t node) const {
    if (!this->states[node].output) restore(node);
    return this->states[node].output;
  }
  /// The extents of a node's output, which need not be there.
  [[nodiscard]] shape extents_of(std::size_t node) const { return this->extents(this->states[like[node]].output); }
  [[nodiscard]] bool wants(std::size_t node) const { return wants_node[node] != 0; }
  [[nodiscard]] bool wants_gradient(std::size_t parameter) const { return wants_parameter[parameter] != 0; }

  void give(std::size_t node, tensor g) {
    auto& into = cotangents[node];
    into = into ? this->algebra.add(into, g) : std::move(g);
    gated[node] = 0;
  }
  /// The cotangent that a node has so far, or null, for a layer that adds its own to it; and whether that layer may zero the sum where the
  /// node's output is not positive, which a rectifier does in any case. Then `give_whole` takes it.
  [[nodiscard]] tensor const& given(std::size_t node) const { return cotangents[node]; }
  [[nodiscard]] bool rectifies(std::size_t node) const { return rectifying[node] != 0; }
  void give_whole(std::size_t node, tensor sum) {
    cotangents[node] = std::move(sum);
    gated[node] = rectifying[node];
  }
  /// A parameter that several layers own receives the sum of what they give.
  void give_gradient(std::size_t parameter, tensor g) {
    auto& into = gradients[parameter];
    into = Algebra::given(into) ? this->algebra.add_ends(into, g) : std::move(g);
  }
};

}  // namespace lnpt::nn
