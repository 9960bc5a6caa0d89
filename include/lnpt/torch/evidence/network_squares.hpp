#pragma once
/// Σ_b of squared per-sample gradients of every weight of a module.
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include <lnpt/torch/evidence/sample_squares.hpp>
#include <lnpt/torch/pass/forward.hpp>

namespace lnpt::detail {

/// The prunable parameters that are reached: those whose only use is a layer we know, each with that use, and the others.
struct squared_parameters {
  std::vector<std::pair<std::size_t, weight_use const*>> layers;
  std::vector<std::size_t> others;
};

[[nodiscard]] inline squared_parameters squared_parameters_of(model_layout const& layout, forward_pass const& pass,
                                                              graph_roots const& start) {
  squared_parameters found;
  auto const times_used = count_uses(start);
  for (std::size_t i = 0; i < layout.parameters.size(); ++i) {
    auto const& held = layout.parameters[i];
    if (!is_prunable(held.role)) continue;
    auto const count = times_used.find(torch::autograd::impl::grad_accumulator(held.value).get());
    if (count == times_used.end()) continue;
    weight_use const* only = nullptr;
    for (auto const& use : pass.uses)
      if (use.is_of(held.value) && has_sample_squares(use, pass.input.size(0))) only = &use;
    if (only != nullptr && count->second == 1)
      found.layers.emplace_back(i, only);
    else
      found.others.push_back(i);
  }
  return found;
}

/// Adds the squares of these parameters to `squares`, by one forward and one backward pass for each sample.
inline void add_squares_one_by_one(torch_network const& network, forward_pass const& pass, torch_slopes const& z,
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
/// layer by layer. A weight used otherwise than by one convolution or linear layer takes a pass for each sample.
[[nodiscard]] inline std::vector<at::Tensor> sample_squares_of(torch_network const& network, forward_pass const& pass,
                                                               torch_slopes const& z) {
  auto const start = roots_of(pass.predicted, z);
  auto const [layers, others] = squared_parameters_of(network.layout, pass, start);
  std::vector<at::Tensor> squares(network.layout.parameters.size());
  torch::autograd::edge_list outputs;
  for (auto const& [index, use] : layers) outputs.push_back(edge_of(*use));
  {
    norm_guard const norms(network.layout.norms, pass.constants);
    auto slopes = gradients_at(start, outputs);
    for (std::size_t k = 0; k < layers.size(); ++k)
      if (auto const slope = std::exchange(slopes[k], {}); slope.defined())
        squares[layers[k].first] = sample_squares_of(*layers[k].second, slope);
  }
  add_squares_one_by_one(network, pass, z, others, squares);
  return squares;
}

}  // namespace lnpt::detail
