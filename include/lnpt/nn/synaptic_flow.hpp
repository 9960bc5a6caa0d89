#pragma once
/// SynFlow's gradient over a network.
#include <cmath>
#include <cstdlib>
#include <limits>
#include <memory>
#include <vector>

#include <lnpt/autodiff/scaled.hpp>
#include <lnpt/nn/network_body.hpp>

namespace lnpt::nn {

/// ∂R/∂|θ| of SynFlow for an input of ones, in exponent-carrying arithmetic. Tanaka et al., NeurIPS 2020, arXiv:2006.05467.
/// Where a gradient would leave the type's range, all are divided by one common power of two.
template <class Backend>
[[nodiscard]] gradients<typename Backend::array> synaptic_flow(network_body<Backend> const& body, shape const& extents,
                                                               weight_signs signs) {
  using array = typename Backend::array;
  using algebra_type = autodiff::scaled<Backend>;
  algebra_type algebra;
  std::vector<typename algebra_type::tensor> parameters;
  std::vector<typename algebra_type::tensor> buffers;
  for (auto const& p : body.parameters) {
    auto const known = signs == weight_signs::nonnegative && is_prunable(p.role);
    parameters.push_back({known ? whole_handle_of(p) : Backend::absolute(whole_handle_of(p))});
  }
  for (auto const& b : body.buffers) buffers.push_back({Backend::absolute(handle_of(b.value))});
  auto const ones = [&](shape const& of) { return Backend::constant(of, 1.0, body.context); };

  std::vector<node_state<algebra_type>> states;
  normalization const norm{norm_mode::eval};
  forward_pass<algebra_type> const pass{algebra, states, parameters, buffers, norm};
  body.graph.forward(pass, states, {body.entering(ones(extents))});
  auto const& output = states.back().output;
  auto const slope = std::make_shared<array const>(ones(Backend::extents(*output.mantissa)));
  // By conservation the flow through any cut is R: its exponent brings every gradient into range.
  auto const exponent = output.exponent;
  auto const in_range = std::abs(exponent) < std::numeric_limits<typename Backend::scalar>::max_exponent * 3 / 4;
  algebra.deliver_at(in_range ? 0 : exponent);
  return released<array>(body.graph.reverse(pass, {{body.graph.last(), {slope}}}, body.wanted(which_gradients::prunable)),
                         [](auto& flow) -> auto& { return flow.mantissa; });
}

}  // namespace lnpt::nn
