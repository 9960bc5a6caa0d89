#pragma once
/// Sound bounds of everything that a network computes for the inputs in a box.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <type_traits>
#include <variant>
#include <vector>

#include <lnpt/autodiff/intervals.hpp>
#include <lnpt/core/error.hpp>
#include <lnpt/nn/graph.hpp>
#include <lnpt/nn/network.hpp>

namespace lnpt {

/// Lower and upper bounds, tensors of one shape.
template <class T>
struct interval {
  T low, high;
};

/// The box of inputs whose every value lies between two numbers.
template <class T>
[[nodiscard]] interval<T> box_of(shape const& extents, double low, double high, T const& near = {}) {
  auto const filled = [&](double value) {
    return make_tensor<T>(extents, std::vector<value_type<T>>(element_count(extents), static_cast<value_type<T>>(value)), near);
  };
  return {filled(low), filled(high)};
}

namespace detail {

/// Refuses boxes that are empty somewhere, or unbounded.
template <class T>
void require_box(interval<T> const& box) {
  if (shape_of(box.low) != shape_of(box.high))
    fail("a box from ", list(shape_of(box.low)), " to ", list(shape_of(box.high)), " is none: pass bounds of one shape");
  auto const low = values_of(box.low);
  auto const high = values_of(box.high);
  for (std::size_t i = 0; i < low.size(); ++i)
    if (!(low[i] <= high[i]) || !std::isfinite(low[i]) || !std::isfinite(high[i]))
      fail_request("a box from ", low[i], " to ", high[i], " at value ", i,
                   " holds no input: pass finite bounds, the lower one first");
}

/// Parameters or buffers as intervals of one point each. They stay the network's own.
template <class Algebra>
[[nodiscard]] std::vector<typename Algebra::tensor> points_of(auto const& views) {
  std::vector<typename Algebra::tensor> all;
  for (auto const& each : views) {
    typename Algebra::handle const view(typename Algebra::handle(), each.value);
    all.push_back({view, view});
  }
  return all;
}

}  // namespace detail

/// Bounds of the output of every node of a network for all inputs in `box`, a batch [N, C, H, W] or [N, F], in eval mode: node 0 is the
/// input, the last node the prediction. Interval arithmetic, rounded outward: never narrower than the truth (autodiff/intervals.hpp).
/// Gowal et al. 2018, arXiv:1810.12715.
///
/// Arrays are in the backend's layout, images [C, N, H, W]. Costs little more than two forward passes of the batch.
template <class Network>
[[nodiscard]] std::vector<interval<tensor_of<Network>>> interval_bounds(Network& network,
                                                                        interval<tensor_of<Network>> const& box) {
  using backend = typename Network::backend;
  using algebra_type = autodiff::intervals<backend>;
  detail::require_box(box);
  auto const entering = [](auto const& batch) {
    return std::make_shared<typename algebra_type::array const>(backend::from_batch(batch));
  };
  auto const parameters = detail::points_of<algebra_type>(network.parameters());
  auto const buffers = detail::points_of<algebra_type>(network.buffers());
  normalization const norm{norm_mode::eval};
  algebra_type algebra;
  auto const& nodes = network.nodes();
  std::vector<nn::node_state<algebra_type>> states(nodes.size());
  states[0].output = {entering(box.low), entering(box.high)};
  nn::forward_pass<algebra_type> const pass{algebra, states, parameters, buffers, norm};
  for (std::size_t i = 1; i < nodes.size(); ++i)
    std::visit(
        [&](auto const& rules) {
          if constexpr (!std::same_as<std::remove_cvref_t<decltype(rules)>, nn::input>) rules.forward(pass, states[i]);
        },
        nodes[i].rules);
  std::vector<interval<tensor_of<Network>>> bounds;
  bounds.reserve(nodes.size());
  for (auto const& state : states) bounds.push_back({*state.output.low, *state.output.high});
  return bounds;
}

}  // namespace lnpt
