#pragma once
/// Σ_b of squared per-sample gradients of every weight of a module.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include <lnpt/torch/evidence/sample_squares.hpp>
#include <lnpt/torch/pass/forward.hpp>

namespace lnpt::detail {

/// A parameter whose only use is a layer that has sample squares.
struct squared_layer {
  std::size_t parameter;
  weight_use const* use;
  std::int64_t sample_axis;
};

/// The prunable parameters that are reached: those of such layers, and the others.
struct squared_parameters {
  std::vector<squared_layer> layers;
  std::vector<std::size_t> others;
};

[[nodiscard]] inline squared_parameters squared_parameters_of(torch_network const& network, forward_pass const& pass,
                                                              graph_roots const& start) {
  squared_parameters found;
  auto const times_used = count_uses(start);
  for (std::size_t i = 0; i < network.layout.parameters.size(); ++i) {
    auto const& held = network.layout.parameters[i];
    if (!is_prunable(held.role)) continue;
    auto const count = times_used.find(torch::autograd::impl::grad_accumulator(held.value).get());
    if (count == times_used.end()) continue;
    std::optional<squared_layer> only;
    for (std::size_t k = 0; k < pass.uses.size(); ++k)
      if (pass.uses[k].parameter == &held && has_sample_squares(pass.uses[k], network.sample_axis(pass.uses, k)))
        only = {i, &pass.uses[k], *network.sample_axis(pass.uses, k)};
    if (only && count->second == 1)
      found.layers.push_back(*only);
    else
      found.others.push_back(i);
  }
  return found;
}

/// Adds the squares of these parameters to `squares`, by one forward and one backward pass for each sample.
inline void add_squares_one_by_one(torch_network& network, forward_pass const& pass, torch_slopes const& z,
                                   std::vector<std::size_t> const& chosen, std::vector<at::Tensor>& squares) {
  std::vector<at::Tensor> weights;
  for (auto const i : chosen) weights.push_back(network.layout.parameters[i].value);
  for (std::int64_t b = 0; b < pass.input.size(0) && !chosen.empty(); ++b) {
    auto const one = network.run(pass.input.narrow(0, b, 1), pass.mode, pass.constants);
    auto const row = [&](at::Tensor const& all) { return all.defined() ? all.narrow(0, b, 1) : all; };
    norm_guard const norms(network.layout.norms, pass.constants);
    auto const found = differentiate(roots_of(one.predicted, {row(z.logits), row(z.features)}), weights);
    for (std::size_t k = 0; k < chosen.size(); ++k) {
      auto& sum = squares[chosen[k]];
      if (found[k].defined()) sum = sum.defined() ? sum + found[k].square() : found[k].square();
    }
  }
}

/// Σ_b (J_bᵀ z_b)² per parameter, undefined where there is none: the gradients of all layers' outputs in one pass, then the squares
/// layer by layer. A weight used otherwise than once, by a convolution or linear layer whose input's axis of samples is known, takes a
/// pass for each sample.
[[nodiscard]] inline std::vector<at::Tensor> sample_squares_of(torch_network& network, forward_pass const& pass,
                                                               torch_slopes const& z) {
  auto const start = roots_of(pass.predicted, z);
  auto [layers, others] = squared_parameters_of(network, pass, start);
  std::vector<at::Tensor> squares(network.layout.parameters.size());
  torch::autograd::edge_list outputs;
  for (auto const& each : layers) outputs.push_back(edge_of(*each.use));
  {
    norm_guard const norms(network.layout.norms, pass.constants);
    auto slopes = gradients_at(start, outputs);
    for (std::size_t k = 0; k < layers.size(); ++k)
      if (auto const slope = std::exchange(slopes[k], {}); slope.defined())
        squares[layers[k].parameter] = sample_squares_of(*layers[k].use, slope, layers[k].sample_axis);
      else
        others.push_back(layers[k].parameter);  // the output was a view that was changed in place: its node left the graph
  }
  add_squares_one_by_one(network, pass, z, others, squares);
  return squares;
}

}  // namespace lnpt::detail
