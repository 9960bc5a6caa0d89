#pragma once
/// Σ_b of squared per-sample gradients of every weight of a module.
#include <cstddef>
#include <cstdint>
#include <exception>
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

/// The layer that is all that computes with a parameter; empty where there is more, such as a second product with one view of it, whose
/// squares would have to be those of a sum.
[[nodiscard]] inline std::optional<squared_layer> only_layer_of(torch_network const& network, forward_pass const& pass,
                                                                reader_table const& readers, std::size_t parameter) {
  auto const& held = network.layout.parameters[parameter];
  auto const* const reader = single_reader(readers, torch::autograd::impl::grad_accumulator(held.value).get());
  for (std::size_t k = 0; k < pass.uses.size(); ++k) {
    auto const& use = pass.uses[k];
    if (use.parameter != &held || !is_of(use, reader)) continue;
    auto const axis = network.sample_axis(pass.uses, k);
    if (has_sample_squares(use, axis)) return squared_layer{parameter, &use, *axis};
  }
  return std::nullopt;
}

[[nodiscard]] inline squared_parameters squared_parameters_of(torch_network const& network, forward_pass const& pass,
                                                              graph_roots const& start) {
  squared_parameters found;
  auto const readers = readers_behind(start);
  for (std::size_t i = 0; i < network.layout.parameters.size(); ++i) {
    auto const& held = network.layout.parameters[i];
    if (!is_prunable(held.role) || !readers.contains(torch::autograd::impl::grad_accumulator(held.value).get())) continue;
    if (auto const only = only_layer_of(network, pass, readers, i))
      found.layers.push_back(*only);
    else
      found.others.push_back(i);
  }
  return found;
}

/// The forward pass of one sample alone; empty where the module takes no single sample, such as one that has the size of its batches in
/// its code.
[[nodiscard]] inline std::optional<forward_pass> pass_of_sample(torch_network& network, forward_pass const& pass,
                                                                std::int64_t b) try {
  return network.run(pass.input.narrow(0, b, 1), pass.mode, pass.constants);
} catch (std::exception const&) {
  return std::nullopt;
}

/// Adds the squares of these parameters to `squares`, by one forward and one backward pass for each sample. Where the module takes no
/// single sample it is one backward pass of the whole batch for each, with all cotangents 0 but those of the sample.
inline void add_squares_one_by_one(torch_network& network, forward_pass const& pass, torch_slopes const& z,
                                   std::vector<std::size_t> const& chosen, std::vector<at::Tensor>& squares) {
  std::vector<at::Tensor> weights;
  for (auto const i : chosen) weights.push_back(network.layout.parameters[i].value);
  auto takes_one = true;
  for (std::int64_t b = 0; b < pass.input.size(0) && !chosen.empty(); ++b) {
    auto const one = takes_one ? pass_of_sample(network, pass, b) : std::nullopt;
    takes_one = one.has_value();
    auto const row = [&](at::Tensor const& all) {
      if (!all.defined() || takes_one) return all.defined() ? all.narrow(0, b, 1) : all;
      auto alone = at::zeros_like(all);
      alone.select(0, b).copy_(all.select(0, b));
      return alone;
    };
    norm_guard const norms(network.layout.norms, pass.constants);
    auto const& predicted = takes_one ? one->predicted : pass.predicted;
    auto const found = differentiate(roots_of(predicted, {row(z.logits), row(z.features)}), weights);
    for (std::size_t k = 0; k < chosen.size(); ++k) {
      auto& sum = squares[chosen[k]];
      if (found[k].defined()) sum = sum.defined() ? sum + found[k].square() : found[k].square();
    }
  }
}

/// Σ_b (J_bᵀ z_b)² per parameter, undefined where there is none: the gradients of all layers' outputs in one pass, then the squares
/// layer by layer. A weight that is read otherwise than once, by a convolution or linear layer whose input's axis of samples is known,
/// takes a pass for each sample.
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
