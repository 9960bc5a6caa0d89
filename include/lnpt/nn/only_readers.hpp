#pragma once
/// Which layer alone reads a node, so that the two may be carried out as one.
#include <cstddef>
#include <variant>
#include <vector>

#include <lnpt/nn/network_body.hpp>

namespace lnpt::nn {

/// Of every node the layer that reads it, if there is one alone; the prediction reads the features and the last node.
template <class Backend>
class only_readers {
 public:
  static constexpr auto none = static_cast<std::size_t>(-1);

  explicit only_readers(network_body<Backend> const& body) : graph_(body.graph), reader_(graph_.size(), none) {
    std::vector<std::size_t> reads(graph_.size(), 0);
    for (std::size_t i = 1; i < graph_.size(); ++i)
      for (auto const n : inputs_of(graph_[i])) reader_[n] = reads[n]++ == 0 ? i : none;
    reader_[body.features] = none;
  }

  [[nodiscard]] std::size_t of(std::size_t node) const { return reader_[node]; }

  /// What alone reads a node, if it is a layer of this kind.
  template <class Rules>
  [[nodiscard]] Rules const* follower(std::size_t node) const {
    return reader_[node] == none ? nullptr : std::get_if<Rules>(&graph_[reader_[node]]);
  }

 private:
  nn::graph<nn::layer<Backend>> const& graph_;
  std::vector<std::size_t> reader_;
};

}  // namespace lnpt::nn
