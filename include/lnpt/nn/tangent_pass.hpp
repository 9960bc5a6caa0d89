#pragma once
/// Passes over values with tangents: products with the Hessian and with the Jacobian.
#include <cstddef>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <lnpt/autodiff/lift.hpp>
#include <lnpt/nn/network_body.hpp>

namespace lnpt::nn {

/// The parameters of a network as tensors of the algebra `A`, moving along `direction`: an empty entry does not move.
template <class A, class Array>
[[nodiscard]] std::vector<typename A::tensor> moving(std::vector<held_array<Array>> const& held,
                                                     gradients<Array> const& direction) {
  std::vector<typename A::tensor> result;
  for (std::size_t i = 0; i < held.size(); ++i)
    result.push_back({whole_handle_of(held[i]), i < direction.size() && direction[i] ? handle_of(*direction[i]) : nullptr});
  return result;
}

/// H v by forward over reverse: the network's rules, and those of the loss, run on values with tangents.
///
/// `forward` and `reverse` are the algebras of the two passes; `rule` maps a prediction to its cotangents; `forwarded()` is called when
/// nothing before the reverse pass will be read again.
template <class Backend, class A, class Rule, class Forwarded>
[[nodiscard]] gradients<typename Backend::array> hessian_vector_product(network_body<Backend> const& body, A forward, A reverse,
                                                                        std::shared_ptr<typename Backend::array const> batch,
                                                                        normalization const& norm, Rule const& rule,
                                                                        gradients<typename Backend::array> const& direction,
                                                                        which_gradients which, Forwarded forwarded) {
  using array = typename Backend::array;
  std::vector<node_state<A>> states;
  auto const parameters = moving<A>(body.parameters, direction);
  auto const buffers = moving<A>(body.buffers, {});
  body.graph.forward(forward_pass<A>{forward, states, parameters, buffers, norm}, states, {std::move(batch)},
                     body.drop_restorable(states));
  forwarded();

  auto const as_dual = [](auto const& x) {
    return dual<array>(*x.value, x.tangent ? std::optional<array>(*x.tangent) : std::nullopt);
  };
  auto const slope = rule(prediction<dual<array>>{as_dual(states.back().output), as_dual(states[body.features].output)});
  std::vector<std::pair<std::size_t, typename A::tensor>> starts;
  auto const start = [&](std::size_t at, auto const& s) {
    if (!s) return;
    auto const shared = [](array const& x) { return std::make_shared<array const>(x); };
    starts.push_back({at, {shared(s->value), s->tangent ? shared(*s->tangent) : nullptr}});
  };
  start(body.graph.last(), slope.output);
  start(body.features, slope.features);
  return released<array>(
      body.graph.reverse(forward_pass<A>{reverse, states, parameters, buffers, norm}, starts, body.wanted(which)),
      [](auto& found) -> auto& { return found.tangent; });
}

/// J v: how the prediction moves with the parameters. `algebra` replays the forward pass from `batch`.
template <class Backend, class A>
[[nodiscard]] prediction<typename Backend::array> jacobian_vector_product(network_body<Backend> const& body, A algebra,
                                                                          std::shared_ptr<typename Backend::array const> batch,
                                                                          normalization const& norm,
                                                                          gradients<typename Backend::array> const& direction) {
  std::vector<node_state<A>> states;
  auto const parameters = moving<A>(body.parameters, direction);
  auto const buffers = moving<A>(body.buffers, {});
  body.graph.forward({algebra, states, parameters, buffers, norm}, states, {std::move(batch)}, body.drop_dead(states));
  auto const moved = [](auto const& x) { return x.tangent ? *x.tangent : Backend::scale(*x.value, 0.0); };
  return {moved(states.back().output), moved(states[body.features].output)};
}

}  // namespace lnpt::nn
