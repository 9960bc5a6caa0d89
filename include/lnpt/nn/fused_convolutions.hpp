#pragma once
/// Convolutions of a prediction that go on with what follows them.
#include <cstddef>
#include <optional>
#include <variant>
#include <vector>

#include <lnpt/backend/concept.hpp>
#include <lnpt/nn/network_body.hpp>
#include <lnpt/nn/only_readers.hpp>

namespace lnpt::nn {

/// The chains of layers that a prediction carries out as one convolution, where nobody else reads what lies between:
///
///     a convolution with a bias, or one without and batch norm by constants, if it follows;  then an addition and a rectifier, if they do
///
/// What lies between is then no array of its own. The bits are those of one layer after the other. A backend without
/// `fused_conv2d` has no chains.
template <class Backend>
class fused_convolutions {
 public:
  explicit fused_convolutions(network_body<Backend> const& body)
      : graph_(body.graph), chain_at_(graph_.size(), none), readers_(body) {
    if constexpr (backend_fused_convolution<Backend>)
      for (std::size_t i = 1; i < graph_.size(); ++i)
        if (auto const* const rules = std::get_if<convolution>(&graph_[i])) add_chain(chain_from(i, *rules));
  }

  /// Carries out the chain that begins at node i, if one does. Says whether node i need not be carried out any more.
  template <class A>
  bool operator()(std::size_t i, forward_pass<A> const& pass) const {
    if constexpr (backend_fused_convolution<Backend>) {
      if (chain_at_[i] == none) return false;
      auto const& found = chains_[chain_at_[i]];
      if (i == found.head) graph_.named(i, [&] { carry_out(found, pass); });
      return pass.states[found.last].output != nullptr;
    }
    return false;
  }

 private:
  using convolution = conv2d<typename Backend::conv_geometry>;
  static constexpr auto none = only_readers<Backend>::none;

  struct chain {
    std::size_t head;
    std::size_t last;  ///< whose output the chain gives
    std::optional<std::size_t> norm = {}, addend = {};
    bool rectify = false;
  };

  [[nodiscard]] std::optional<chain> chain_from(std::size_t head, convolution const& rules) const {
    chain found{.head = head, .last = head};
    auto const extend = [&] { return found.last = readers_.of(found.last); };
    if (auto const* const norm = readers_.template follower<batch_norm>(head); norm && !rules.bias) {
      found.norm = extend();
      found.rectify = norm->rectify;
    }
    if (auto const* const sum = readers_.template follower<add>(found.last); sum && !found.rectify)
      if (auto const other = sum->first == found.last ? sum->second : sum->first; other < head) {
        found.addend = other;
        found.rectify = sum->rectify;
        extend();
      }
    if (!found.rectify && readers_.template follower<relu>(found.last)) {
      found.rectify = true;
      extend();
    }
    return rules.bias || found.last != head ? std::optional(found) : std::nullopt;
  }

  void add_chain(std::optional<chain> const& found) {
    if (!found) return;
    for (auto i = found->head; i != found->last; i = readers_.of(i)) chain_at_[i] = chains_.size();
    chain_at_[found->last] = chains_.size();
    chains_.push_back(*found);
  }

  /// Leaves the chain to its layers where batch norm takes its statistics from the batch, or where one summand stretches.
  template <class A>
  void carry_out(chain const& found, forward_pass<A> const& pass) const {
    auto const& rules = std::get<convolution>(graph_[found.head]);
    auto const& x = pass.output(rules.input);
    auto const& w = pass.parameters[rules.weight];
    epilogue<typename Backend::array, typename Backend::channels> after{.rectify = found.rectify};
    if (found.addend) {
      after.addend = pass.output(*found.addend).get();
      if (pass.extents(pass.output(*found.addend)) != rules.shape_of_result(pass.extents(x), pass.algebra.parameter_extents(w)))
        return;
    }
    typename Backend::channels bias;
    std::optional<std::vector<typename Backend::channels>> constants;
    if (rules.bias) {
      bias = pass.algebra.as_channels(pass.parameters[*rules.bias]);
      after.offset = &bias;
    } else if (found.norm) {
      constants = std::get<batch_norm>(graph_[*found.norm]).constants(pass);
      if (!constants) return;
      after.slope = &(*constants)[batch_norm::slope_of_output];
      after.offset = &(*constants)[batch_norm::offset_of_output];
    }
    pass.states[found.last].output = pass.algebra.fused_conv2d(x, w, rules.geometry, after);
  }

  nn::graph<nn::layer<Backend>> const& graph_;
  std::vector<chain> chains_;
  std::vector<std::size_t> chain_at_;
  only_readers<Backend> readers_;
};

}  // namespace lnpt::nn
