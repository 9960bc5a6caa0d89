#pragma once
/// What merging a pair of units can do to a network's outputs.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <lnpt/analysis/interval_bounds.hpp>
#include <lnpt/autodiff/interval_changes.hpp>
#include <lnpt/merge/hidden_layers.hpp>
#include <lnpt/merge/options.hpp>

namespace lnpt {

/// How far each output can move, in double on the host.
struct output_change {
  std::vector<double> low, high;

  /// The sum of two changes, rounded outward.
  friend output_change operator+(output_change x, output_change const& y) {
    constexpr auto infinity = std::numeric_limits<double>::infinity();
    if (x.low.empty()) return y;
    for (std::size_t k = 0; k < y.low.size(); ++k) {
      x.low[k] = std::nextafter(x.low[k] + y.low[k], -infinity);
      x.high[k] = std::nextafter(x.high[k] + y.high[k], infinity);
    }
    return x;
  }
};

/// L = Σ_k (high_k − low_k), and E = −Σ_i p_i ln p_i with p_i the share of outputs whose change is like that of output i:
///
///     sim(i, j) = 1 − ½ (|low_i − low_j| + |high_i − high_j|) / width(U) ≥ similarity,      U the hull of all changes and 0
///
/// Where E is low, the change is alike on all classes, so that the largest logit stays the largest.
[[nodiscard]] inline merge_effect effect_of(output_change const& change, double similarity = 0.9) {
  auto const classes = change.low.size();
  merge_effect effect;
  double lowest = 0;
  double highest = 0;
  for (std::size_t k = 0; k < classes; ++k) {
    effect.impact += change.high[k] - change.low[k];
    lowest = std::min(lowest, change.low[k]);
    highest = std::max(highest, change.high[k]);
  }
  constexpr double no_width = 1e-30;  // what rounding outward makes of no change at all
  auto const width = highest - lowest > no_width ? highest - lowest : .001;
  for (std::size_t i = 0; i < classes; ++i) {
    double alike = 0;
    for (std::size_t j = 0; j < classes; ++j) {
      auto const apart = std::abs(change.low[i] - change.low[j]) + std::abs(change.high[i] - change.high[j]);
      alike += 1 - 0.5 * apart / width >= similarity ? 1 : 0;
    }
    auto const share = alike / static_cast<double>(classes);
    effect.entropy -= share * std::log(share);
  }
  return effect;
}

/// The changes that merges in one hidden layer make, from the layer that reads it to the outputs, by interval arithmetic.
///
/// The network and its bounds must stay where they are, and the network's weights but the layer's outgoing ones as they are.
template <class Network>
class merge_changes {
 public:
  using backend = typename Network::backend;
  using algebra_type = autodiff::interval_changes<backend>;
  using change = typename algebra_type::tensor;
  using array = tensor_of<Network>;
  using scalar = value_type<array>;

  /// `bounds`: those of every node of this network.
  merge_changes(Network& network, hidden_layer const& layer, std::vector<interval<array>> const& bounds)
      : network_(network),
        layer_(layer),
        parameters_(detail::points_of<algebra_type>(network.parameters())),
        buffers_(detail::points_of<algebra_type>(network.buffers())),
        extents_(backend::extents(bounds[layer.read].low)),
        low_(values_of(bounds[layer.read].low)),
        high_(values_of(bounds[layer.read].high)),
        next_extents_(shape_of(*network.parameters()[layer.next_weight].value)),
        outgoing_(values_of(*network.parameters()[layer.next_weight].value)) {}

  /// Adds the outgoing weights of one unit to those of another and clears them; returns the change of the layer that reads them:
  ///
  ///     a_p (h_q − h_p) + e h_q,      h_q − h_p in [low_q − high_p, high_q − low_p]
  ///
  /// with e what rounding the sum a_q + a_p adds to it, known exactly (Knuth's two-sum).
  [[nodiscard]] change merge(unit_pair const& pair) {
    auto const moved = change_of(pair);
    for_each_outgoing(
        [&](std::size_t p, std::size_t q, std::size_t, std::size_t) {
          outgoing_[q] += outgoing_[p];
          outgoing_[p] = 0;
        },
        pair);
    return moved;
  }
  /// The same change without the merge.
  [[nodiscard]] change change_of(unit_pair const& pair) const {
    auto const outputs = next_extents_[0];
    auto const block = outgoing_.size() / outputs / layer_.units;
    std::vector<scalar> weights(outputs * 2 * block);
    for_each_outgoing(
        [&](std::size_t p, std::size_t q, std::size_t output, std::size_t k) {
          weights[output * 2 * block + k] = outgoing_[p];
          weights[(output * 2 + 1) * block + k] = rounding_of_sum(outgoing_[q], outgoing_[p]);
        },
        pair);
    return product(apart(pair), std::move(weights), block);
  }
  /// How far the outputs move where what the next layer gives moves by `by`.
  [[nodiscard]] output_change at_outputs(change const& by) const {
    auto const& nodes = network_.nodes();
    std::vector<nn::node_state<algebra_type>> states(nodes.size());
    states[layer_.next].output = by;
    algebra_type algebra;
    normalization const norm{norm_mode::eval};
    nn::forward_pass<algebra_type> const pass{algebra, states, parameters_, buffers_, norm};
    for (auto i = layer_.next + 1; i < nodes.size(); ++i)
      std::visit(
          [&](auto const& rules) {
            if constexpr (!std::same_as<std::remove_cvref_t<decltype(rules)>, nn::input>) rules.forward(pass, states[i]);
          },
          nodes[i].rules);
    auto const low = values_of(*states.back().output.low);
    auto const high = values_of(*states.back().output.high);
    return {{low.begin(), low.end()}, {high.begin(), high.end()}};
  }
  [[nodiscard]] static change sum(change const& x, change const& y) { return x ? algebra_type().add(x, y) : y; }

  /// Gives the network the outgoing weights as the merges left them.
  void store() {
    auto const parameters = network_.parameters();
    auto& into = *parameters[layer_.next_weight].value;
    assign(into, make_tensor<array>(next_extents_, outgoing_, into));
  }

 private:
  /// Calls `f(index of p's, index of q's, output, place in the block)` for every outgoing weight of a pair.
  template <class F>
  void for_each_outgoing(F f, unit_pair const& pair) const {
    auto const outputs = next_extents_[0];
    auto const row = outgoing_.size() / outputs;
    auto const block = row / layer_.units;
    for (std::size_t output = 0; output < outputs; ++output)
      for (std::size_t k = 0; k < block; ++k)
        f(output * row + pair.removed * block + k, output * row + pair.into * block + k, output, k);
  }
  [[nodiscard]] static scalar rounding_of_sum(scalar a, scalar b) {
    auto const sum = a + b;
    auto const part = sum - a;
    return -((a - (sum - part)) + (b - part));
  }
  /// Bounds of h_q − h_p and, behind them, of h_q.
  [[nodiscard]] change apart(unit_pair const& pair) const {
    constexpr auto infinity = std::numeric_limits<scalar>::infinity();
    auto const area = low_.size() / layer_.units;
    std::vector<scalar> low;
    std::vector<scalar> high;
    for (std::size_t i = 0; i < area; ++i) {
      auto const p = pair.removed * area + i;
      auto const q = pair.into * area + i;
      low.push_back(std::nextafter(low_[q] - high_[p], -infinity));
      high.push_back(std::nextafter(high_[q] - low_[p], infinity));
    }
    auto const begin = static_cast<std::ptrdiff_t>(pair.into * area);
    auto const end = begin + static_cast<std::ptrdiff_t>(area);
    low.insert(low.end(), low_.begin() + begin, low_.begin() + end);
    high.insert(high.end(), high_.begin() + begin, high_.begin() + end);
    auto extents = extents_;
    extents.size() == 4 ? extents[0] = 2 : extents[1] = 2 * area;
    auto const where = backend::context_of(*parameters_.front().low);
    return {std::make_shared<array const>(backend::make(extents, low, where)),
            std::make_shared<array const>(backend::make(extents, high, where))};
  }
  /// The next layer's product with the weights of two units alone.
  [[nodiscard]] change product(change const& x, std::vector<scalar> weights, std::size_t block) const {
    auto extents = next_extents_;
    extents[1] = extents.size() == 4 ? 2 : 2 * block;
    auto const held =
        std::make_shared<array const>(make_tensor<array>(extents, weights, *network_.parameters()[layer_.next_weight].value));
    algebra_type algebra;
    return std::visit(
        [&](auto const& rules) -> change {
          if constexpr (detail::is_convolution<std::remove_cvref_t<decltype(rules)>>)
            return algebra.conv2d(x, change{held, held}, rules.geometry);
          else
            return algebra.linear_product(x, change{held, held});
        },
        network_.nodes()[layer_.next].rules);
  }

  Network& network_;
  hidden_layer layer_;
  std::vector<change> parameters_, buffers_;
  shape extents_;
  std::vector<scalar> low_, high_;  ///< of what the next layer reads
  shape next_extents_;
  std::vector<scalar> outgoing_;
};

}  // namespace lnpt
