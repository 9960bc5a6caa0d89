#pragma once
/// Layers in the order of computation, and the walks through them that every pass is.
#include <concepts>
#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/nn/layer_links.hpp>
#include <lnpt/nn/pass.hpp>

namespace lnpt::nn {

/// Where a batch enters: node 0 of every graph.
struct input {
  [[nodiscard]] links inputs() const { return {}; }
  [[nodiscard]] links parameters() const { return {}; }
  [[nodiscard]] shape output_shape(std::vector<shape> const& nodes) const { return nodes.front(); }
};

/// A directed acyclic graph of layers, each after those it reads. `Layer` is a variant of layer rules. The walks are generic over the
/// algebra: values, values with tangents, values with exponents.
template <class Layer>
class graph {
  static_assert(
      detail::all_linked<Layer>,
      "lnpt: a layer does not say what it is connected to. Give it inputs(), the nodes it reads, and parameters(), those "
      "it owns, as lnpt/nn/layer_links.hpp shows.");

 public:
  struct node {
    std::string name;
    Layer rules;
  };
  template <class A>
  using tensors = std::vector<typename A::tensor>;
  template <class A>
  using states = std::vector<node_state<A>>;

  std::size_t add(std::string name, Layer rules) {
    nodes_.push_back({std::move(name), std::move(rules)});
    return nodes_.size() - 1;
  }
  [[nodiscard]] std::vector<node> const& nodes() const { return nodes_; }
  [[nodiscard]] std::size_t size() const { return nodes_.size(); }
  [[nodiscard]] std::size_t last() const { return nodes_.size() - 1; }
  [[nodiscard]] Layer const& operator[](std::size_t i) const { return nodes_[i].rules; }

  /// The forward rule of one node, after a look at what it reads where its rules have one.
  template <class A>
  void forward_at(std::size_t i, forward_pass<A> const& pass, node_state<A>& state) const {
    std::visit(
        [&](auto const& rules) {
          if constexpr (requires { rules.examine(pass, nodes_[i].name); }) rules.examine(pass, nodes_[i].name);
          if constexpr (!std::same_as<std::remove_cvref_t<decltype(rules)>, input>) named(i, [&] { rules.forward(pass, state); });
        },
        nodes_[i].rules);
  }

  /// What `f` returns; the name of a node goes before what that refuses.
  template <class F>
  auto named(std::size_t i, F f) const {
    try {
      return f();
    } catch (error const& refusal) {
      fail("layer ", nodes_[i].name, ": ", refusal.what());
    }
  }

  /// Forward through all nodes, from `batch` at node 0. `instead(i, pass)` says whether it did, or needs not do, node i by itself; `after(i)`
  /// is called when node i is done.
  template <class A, class Instead, class After>
  void forward(forward_pass<A> const& pass, states<A>& all, typename A::tensor batch, Instead const& instead, After after) const {
    all.resize(nodes_.size());
    all[0].output = std::move(batch);
    for (std::size_t i = 1; i < nodes_.size(); ++i) {
      if (!instead(i, pass)) forward_at(i, pass, all[i]);
      after(i);
    }
  }
  template <class A, class After>
  void forward(forward_pass<A> const& pass, states<A>& all, typename A::tensor batch, After after) const {
    forward(pass, all, std::move(batch), [](std::size_t, forward_pass<A> const&) { return false; }, std::move(after));
  }
  template <class A>
  void forward(forward_pass<A> const& pass, states<A>& all, typename A::tensor batch) const {
    forward(pass, all, std::move(batch), [](std::size_t) {});
  }

  /// Reverse from cotangents at given nodes: the gradient of every wanted parameter that they reach. Uses the states up: each is
  /// dropped when the pass is behind its node, since nothing reads it from then on.
  template <class A>
  [[nodiscard]] tensors<A> reverse(forward_pass<A> const& pass,
                                   std::vector<std::pair<std::size_t, typename A::tensor>> const& starts,
                                   std::vector<char> const& wants_parameter) const {
    tensors<A> slopes(nodes_.size());
    tensors<A> found(wants_parameter.size());
    walk_back(pass, starts, slopes, found, wants_parameter, wanted_nodes(wants_parameter, false));
    return found;
  }

  /// Reverse from cotangents at given nodes to the batch at node 0: null where they do not reach it. Uses the states up, too.
  template <class A>
  [[nodiscard]] typename A::tensor reverse_to_input(forward_pass<A> const& pass,
                                                    std::vector<std::pair<std::size_t, typename A::tensor>> const& starts,
                                                    std::size_t parameters) const {
    tensors<A> slopes(nodes_.size());
    tensors<A> found(parameters);
    std::vector<char> const none(parameters, 0);
    walk_back(pass, starts, slopes, found, none, wanted_nodes(none, true));
    return std::move(slopes[0]);
  }

  /// Computes the output of a node again from its input where a trace dropped it.
  template <class A>
  void restore(std::size_t i, forward_pass<A> const& pass) const {
    if (!pass.states[i].output) restore_at(i, pass);
  }

  /// Whether the output of a node is one cheap pass over its only input, of the same extents, so that a trace need not keep it.
  [[nodiscard]] bool restorable(std::size_t i) const {
    return std::visit([](auto const& rules) { return restores<decltype(rules)>; }, nodes_[i].rules);
  }

  /// The last node that reads each node, so that a pass which keeps no trace can drop it then.
  [[nodiscard]] std::vector<std::size_t> last_uses() const {
    std::vector<std::size_t> result(nodes_.size(), 0);
    for (std::size_t i = 1; i < nodes_.size(); ++i)
      for (auto const n : inputs_of(nodes_[i].rules)) result[n] = i;
    return result;
  }

 private:
  template <class Rules>
  static constexpr bool restores = requires { std::remove_cvref_t<Rules>::restorable; };

  template <class Pass>
  void restore_at(std::size_t i, Pass const& pass) const {
    std::visit(
        [&](auto const& rules) {
          if constexpr (restores<decltype(rules)>) rules.restore(pass, pass.states[i]);
        },
        nodes_[i].rules);
  }

  template <class A>
  void walk_back(forward_pass<A> const& pass, std::vector<std::pair<std::size_t, typename A::tensor>> const& starts,
                 tensors<A>& slopes, tensors<A>& found, std::vector<char> const& wants_parameter,
                 std::vector<char> const& wants_node) const {
    std::function<void(std::size_t)> restore;
    auto const like = nodes_of_same_extents();
    auto const rectifying = rectifying_nodes();
    reverse_pass<A> back{pass, slopes, found, wants_node, wants_parameter, restore, like, rectifying};
    restore = [&](std::size_t i) { restore_at(i, back); };
    for (auto const& [at, slope] : starts) back.give(at, slope);
    for (auto i = nodes_.size(); i-- > 1; pass.states[i] = {}) {
      if (!slopes[i] || !wants_node[i]) continue;
      auto const slope = std::exchange(slopes[i], {});
      back.gated_here = back.gated[i] != 0;
      std::visit(
          [&](auto const& rules) {
            if constexpr (!std::same_as<std::remove_cvref_t<decltype(rules)>, input>) rules.reverse(back, pass.states[i], slope);
          },
          nodes_[i].rules);
    }
  }

  /// By node the nearest one, itself or before it, of the same extents that is not restorable.
  [[nodiscard]] std::vector<std::size_t> nodes_of_same_extents() const {
    std::vector<std::size_t> result;
    for (std::size_t i = 0; i < nodes_.size(); ++i)
      result.push_back(restorable(i) ? result[inputs_of(nodes_[i].rules).front()] : i);
    return result;
  }

  /// Nodes that end in max(0, ·): `rectify` of their rules says so.
  [[nodiscard]] std::vector<char> rectifying_nodes() const {
    std::vector<char> result;
    for (auto const& each : nodes_)
      result.push_back(std::visit(
          [](auto const& rules) {
            if constexpr (requires { rules.rectify; })
              return rules.rectify;
            else
              return false;
          },
          each.rules));
    return result;
  }

  /// Nodes with a wanted parameter, or the wanted input, at or before them.
  [[nodiscard]] std::vector<char> wanted_nodes(std::vector<char> const& wants_parameter, bool wants_input) const {
    std::vector<char> result(nodes_.size());
    result[0] = wants_input;
    for (std::size_t i = 1; i < nodes_.size(); ++i) {
      for (auto const p : parameters_of(nodes_[i].rules)) result[i] |= wants_parameter[p];
      for (auto const n : inputs_of(nodes_[i].rules)) result[i] |= result[n];
    }
    return result;
  }

  std::vector<node> nodes_{{"input", input{}}};
};

}  // namespace lnpt::nn
