#pragma once
/// Sums that normalise one of their summands on the way.
#include <cstddef>
#include <variant>
#include <vector>

#include <lnpt/nn/network_body.hpp>
#include <lnpt/nn/only_readers.hpp>

namespace lnpt::nn {

/// Batch norm whose output a sum alone reads, and reads next, is carried out by that sum, as in the blocks of residual networks:
///
///     z = max(0, γ r (x − μ) + β + y),      the rectifier if the sum has one
///
/// is one pass over x and y, and what batch norm gives is no array of its own. The bits are those of one layer after the other.
template <class Backend>
class fused_sums {
 public:
  explicit fused_sums(network_body<Backend> const& body) : graph_(body.graph), postponed_(graph_.size() + 1, 0) {
    only_readers<Backend> const readers(body);
    for (std::size_t i = 1; i < graph_.size(); ++i)
      if (auto const* const norm = std::get_if<batch_norm>(&graph_[i]); norm && !norm->rectify)
        postponed_[i] = readers.of(i) == i + 1 && readers.template follower<add>(i);
  }

  /// Carries out node i where it is such a sum, or leaves it to its sum. Says whether the layer's rule has nothing to do.
  template <class A>
  bool operator()(std::size_t i, forward_pass<A> const& pass) const {
    if (postponed_[i]) {
      std::get<batch_norm>(graph_[i]).examine(pass, graph_.nodes()[i].name);
      return true;
    }
    return postponed_[i - 1] && graph_.named(i - 1, [&] { return carry_out(i, pass); });
  }

 private:
  template <class A>
  [[nodiscard]] bool carry_out(std::size_t i, forward_pass<A> const& pass) const {
    auto const& sum = std::get<add>(graph_[i]);
    auto const& norm = std::get<batch_norm>(graph_[i - 1]);
    auto& normalized = pass.states[i - 1];
    auto& z = pass.states[i].output;
    auto const& x = pass.output(norm.input);
    auto const& y = pass.output(sum.first == i - 1 ? sum.second : sum.first);
    if (pass.extents(x) != pass.extents(y)) {  // one of them stretches
      norm.forward(pass, normalized);
      return false;
    }
    if constexpr (A::joins_sums)
      if (norm.takes_own_moments(pass)) {
        z = pass.algebra.as_sum(norm.normalized_by_own_moments(pass, normalized, y, sum.rectify));
        return true;
      }
    norm.measure(pass, normalized);
    z = pass.algebra.add_combined(x, normalized.statistics[batch_norm::slope_of_output],
                                  normalized.statistics[batch_norm::offset_of_output], y, sum.rectify);
    return true;
  }

  nn::graph<nn::layer<Backend>> const& graph_;
  std::vector<char> postponed_;  ///< nodes whose output their sum makes
};

}  // namespace lnpt::nn
