#pragma once
/// Inputs moved, within a distance, to where a network decides otherwise.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/core/model.hpp>
#include <lnpt/core/tensor.hpp>
#include <lnpt/loss/cross_entropy.hpp>
#include <lnpt/loss/on_engine.hpp>

namespace lnpt {

/// What inputs can be, and how far an iterated attack goes at a time.
struct attack_options {
  double low = 0, high = 1;  ///< between which every number of an input lies
  std::size_t steps = 10;    ///< of PGD
  double stride = 2.5;       ///< of one step, in units of ε / steps
};

namespace detail {

/// The sign of ∂CE/∂x at x, CE held against the class of each sample.
template <class Network>
[[nodiscard]] std::vector<signed char> ascent_signs(Network const& network, tensor_of<Network> const& x,
                                                    std::vector<std::int64_t> const& classes) {
  using T = tensor_of<Network>;
  auto const trace = network.forward(x, normalization{norm_mode::eval});
  auto const slope =
      loss_cotangent(cross_entropy{}, prediction<T>{trace.output(), trace.features()}, target<T>{&classes, nullptr});
  std::vector<signed char> signs;
  for (auto const g : values_of(network.input_gradient(trace, slope)))
    signs.push_back(static_cast<signed char>((g > 0) - (g < 0)));
  return signs;
}

/// clip(moved + length · sign), no further than ε from x and within what inputs can be.
template <class T>
[[nodiscard]] T moved_by(T const& x, T const& moved, std::vector<signed char> const& signs, double length, double epsilon,
                         attack_options const& o) {
  auto const from = values_of(x);
  auto values = values_of(moved);
  for (std::size_t i = 0; i < values.size(); ++i) {
    auto const least = std::max(o.low, static_cast<double>(from[i]) - epsilon);
    auto const most = std::min(o.high, static_cast<double>(from[i]) + epsilon);
    values[i] = static_cast<value_type<T>>(std::clamp(static_cast<double>(values[i]) + length * signs[i], least, most));
  }
  return make_tensor<T>(shape_of(x), values, x);
}

template <class T>
void require_inputs(T const& x, attack_options const& o) {
  if (!(o.low < o.high)) fail_request("inputs from ", o.low, " to ", o.high, " hold none: pass the lower bound first");
  for (auto const v : values_of(x))
    if (!(v >= static_cast<value_type<T>>(o.low) && v <= static_cast<value_type<T>>(o.high)))
      fail("an input of ", v, " is outside the box from ", o.low, " to ", o.high, ": pass bounds that hold the inputs");
}

}  // namespace detail

/// The fast gradient sign method: x + ε sign(∂CE/∂x), clipped to what inputs can be, CE held against the class of each sample; numbers
/// without a gradient stay. Goodfellow, Shlens, Szegedy, ICLR 2015, arXiv:1412.6572. One forward and backward. Throws `lnpt::error` where x
/// is outside of what inputs can be, as normalised images are of [0, 1].
template <class Network>
[[nodiscard]] tensor_of<Network> fast_gradient_sign(Network const& network, tensor_of<Network> const& x,
                                                    std::vector<std::int64_t> const& classes, double epsilon,
                                                    attack_options const& o = {}) {
  detail::require_inputs(x, o);
  return detail::moved_by(x, x, detail::ascent_signs(network, x, classes), epsilon, epsilon, o);
}

/// Projected gradient ascent: `steps` such steps of stride · ε / steps from x itself, each clipped to the distance ε.
/// Madry et al., ICLR 2018, arXiv:1706.06083, which starts at random. One forward and backward per step.
template <class Network>
[[nodiscard]] tensor_of<Network> projected_gradient(Network const& network, tensor_of<Network> const& x,
                                                    std::vector<std::int64_t> const& classes, double epsilon,
                                                    attack_options const& o = {}) {
  detail::require_inputs(x, o);
  auto const length = o.stride * epsilon / static_cast<double>(std::max<std::size_t>(o.steps, 1));
  auto moved = x;
  for (std::size_t step = 0; step < o.steps; ++step)
    moved = detail::moved_by(x, moved, detail::ascent_signs(network, moved, classes), length, epsilon, o);
  return moved;
}

}  // namespace lnpt
