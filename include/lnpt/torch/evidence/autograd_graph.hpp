#pragma once
/// Passes back through the graph that autograd recorded.
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/engine.h>
#include <torch/csrc/autograd/functions/accumulate_grad.h>
#include <torch/csrc/autograd/variable.h>

#include <algorithm>
#include <array>
#include <exception>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/torch/pass/weight_use.hpp>

namespace lnpt::detail {

/// Where passes back begin: tensors of the graph and the cotangents that arrive there.
struct graph_roots {
  std::vector<at::Tensor> tensors, slopes;

  /// What autograd does not know has no gradient and is left out.
  void add(at::Tensor const& tensor, at::Tensor const& slope) {
    if (!tensor.requires_grad()) return;
    tensors.push_back(tensor);
    slopes.push_back(slope);
  }
};

/// What a pass back leaves: the graph for further passes, its own graph as well, or nothing, each value dropped when it is behind it.
enum class graph_after { kept, differentiable, freed };

/// Refuses an operator that LibTorch does not differentiate, such as the derivative of hardsigmoid; passes any other failure on.
[[noreturn]] inline void explain_missing_derivative(std::exception const& failure) {
  std::string_view const words = failure.what();
  std::string_view const before = "derivative for ", behind = " is not implemented";
  auto const begin = words.find(before), end = words.find(behind);
  if (begin == words.npos || end == words.npos) throw;
  fail(
      "LibTorch has no derivative of ", words.substr(begin + before.size(), end - begin - before.size()),
      ", which this pass needs: write the activation function by others (hardsigmoid(x) as hardtanh(x + 3, 0, 6) / 6), or choose "
      "evidence without second derivatives");
}

/// ∂⟨slopes, roots⟩/∂inputs; undefined where the roots do not depend on an input.
[[nodiscard]] inline std::vector<at::Tensor> differentiate(graph_roots const& roots, std::vector<at::Tensor> const& inputs,
                                                           graph_after after = graph_after::kept) try {
  if (roots.tensors.empty() || inputs.empty()) return std::vector<at::Tensor>(inputs.size());
  return torch::autograd::grad(roots.tensors, inputs, roots.slopes, /*retain_graph=*/after != graph_after::freed,
                               /*create_graph=*/after == graph_after::differentiable, /*allow_unused=*/true);
} catch (std::exception const& failure) {
  explain_missing_derivative(failure);
}

/// The gradients that arrive at these edges: at outputs that autograd::grad could not name, such as one that was changed in place.
[[nodiscard]] inline std::vector<at::Tensor> gradients_at(graph_roots const& roots, torch::autograd::edge_list const& edges) {
  if (roots.tensors.empty() || edges.empty()) return std::vector<at::Tensor>(edges.size());
  torch::autograd::edge_list from;
  for (auto const& root : roots.tensors) from.push_back(torch::autograd::impl::gradient_edge(root));
  return torch::autograd::Engine::get_default_engine().execute(from, roots.slopes, /*keep_graph=*/true, /*create_graph=*/false,
                                                               /*accumulate_grad=*/false, edges);
}

[[nodiscard]] inline torch::autograd::Edge edge_of(weight_use const& use) { return {use.node, use.output_number}; }

/// Visits each node behind a tensor once, from there back; `visit(node)` says whether to go on behind it.
template <class Visit>
void for_each_node(at::Tensor const& tensor, Visit visit) {
  if (!tensor.requires_grad()) return;
  std::unordered_set<torch::autograd::Node const*> met;
  std::vector<torch::autograd::Node const*> open;
  auto const meet = [&](torch::autograd::Node const* node) {
    if (node != nullptr && met.insert(node).second && visit(node)) open.push_back(node);
  };
  meet(torch::autograd::impl::gradient_edge(tensor).function.get());
  while (!open.empty()) {
    auto const* const node = open.back();
    open.pop_back();
    for (auto const& edge : node->next_edges()) meet(edge.function.get());
  }
}

/// All nodes behind a tensor.
[[nodiscard]] inline std::unordered_set<torch::autograd::Node const*> nodes_behind(at::Tensor const& tensor) {
  std::unordered_set<torch::autograd::Node const*> nodes;
  for_each_node(tensor, [&](torch::autograd::Node const* node) { return nodes.insert(node).second; });
  return nodes;
}

/// The trained tensor that a node stands for; undefined where it stands for an operator.
[[nodiscard]] inline at::Tensor leaf_of(torch::autograd::Node const& node) {
  auto const* const leaf = dynamic_cast<torch::autograd::AccumulateGrad const*>(&node);
  return leaf != nullptr ? leaf->variable : at::Tensor();
}

/// Who reads a node of the graph: how often it is an operand, and the last node that has it as one. A root has the caller as a reader,
/// who is no node.
struct node_readers {
  int count = 0;
  torch::autograd::Node const* last = nullptr;
};
using reader_table = std::unordered_map<torch::autograd::Node const*, node_readers>;

/// The readers of every node behind the roots.
[[nodiscard]] inline reader_table readers_behind(graph_roots const& roots) {
  reader_table readers;
  std::unordered_set<torch::autograd::Node const*> met;
  for (auto const& root : roots.tensors) {
    ++readers[torch::autograd::impl::gradient_edge(root).function.get()].count;
    for_each_node(root, [&](torch::autograd::Node const* node) {
      if (!met.insert(node).second) return false;
      for (auto const& edge : node->next_edges()) {
        if (!edge.function) continue;
        auto& of = readers[edge.function.get()];
        ++of.count;
        of.last = node;
      }
      return true;
    });
  }
  return readers;
}

/// Whether a node hands on the very values that it is given, in another layout.
[[nodiscard]] inline bool only_lays_out(torch::autograd::Node const& node) {
  static constexpr std::array<std::string_view, 11> layouts{
      "T", "Transpose", "Permute", "View", "UnsafeView", "ReshapeAlias", "Unsqueeze", "Squeeze", "Expand", "Slice", "Alias"};
  auto const name = node.name();
  auto const kind = std::string_view(name).substr(0, name.find("Backward"));
  return kind.size() < name.size() && std::ranges::find(layouts, kind) != layouts.end();
}

/// The one node that computes with the values of a leaf, read through views of it; null where there is none, or several are.
[[nodiscard]] inline torch::autograd::Node const* single_reader(reader_table const& readers, torch::autograd::Node const* leaf) {
  for (auto const* node = leaf;;) {
    auto const found = readers.find(node);
    if (found == readers.end() || found->second.count != 1 || found->second.last == nullptr) return nullptr;
    node = found->second.last;
    if (!only_lays_out(*node)) return node;
  }
}

/// Whether a node is one of those that a use is made of.
[[nodiscard]] inline bool is_of(weight_use const& use, torch::autograd::Node const* node) {
  return node != nullptr &&
         (use.node.get() == node || std::ranges::any_of(use.inner, [&](auto const& each) { return each.get() == node; }));
}

}  // namespace lnpt::detail
