#pragma once
/// H v by a pass back through a backward pass, the weights of convolutions by products of their own.
#include <ATen/ATen.h>

#include <cstddef>
#include <unordered_map>
#include <utility>
#include <vector>

#include <lnpt/torch/graph.hpp>

namespace lnpt::detail {

/// One of the three products of a convolution y = x ∗ w, for other values than those that met in the forward pass.
[[nodiscard]] inline at::Tensor convolve(weight_use const& use, at::Tensor const& x, at::Tensor const& w) {
  auto const& how = *use.convolution;
  return at::convolution(x, w, {}, how.stride, how.padding, how.dilation, how.transposed, how.output_padding, how.groups);
}
/// ∂⟨y, gy⟩/∂x and ∂⟨y, gy⟩/∂w, whichever is asked for; x and w are then read for their shapes only.
template <int Which>
[[nodiscard]] at::Tensor convolution_gradient(weight_use const& use, at::Tensor const& x, at::Tensor const& w,
                                              at::Tensor const& gy) {
  auto const& how = *use.convolution;
  return std::get<Which>(at::convolution_backward(gy, x, w, at::OptionalIntArrayRef{}, how.stride, how.padding, how.dilation,
                                                  how.transposed, how.output_padding, how.groups,
                                                  {Which == 0, Which == 1, false}));
}

/// The one convolution and the one reversal in which a weight is used, if that is all its use in the graph.
struct convolved {
  weight_use const* forward = nullptr;
  weight_use const* reverse = nullptr;
};

[[nodiscard]] inline convolved convolved_by(at::Tensor const& parameter, std::vector<weight_use> const& uses,
                                            std::vector<weight_use> const& reversals,
                                            std::unordered_map<torch::autograd::Node const*, int> const& times_used) {
  convolved found;
  for (auto const& use : uses)
    if (use.convolution && !use.convolution->transposed && use.node && use.is_of(parameter)) found.forward = &use;
  for (auto const& use : reversals)
    if (use.is_of(parameter)) found.reverse = &use;
  if (!found.forward || !found.reverse) return {};
  auto const count = times_used.find(torch::autograd::impl::grad_accumulator(parameter).get());
  auto const reached = times_used.contains(found.forward->node.get()) + times_used.contains(found.reverse->node.get());
  return count != times_used.end() && count->second == reached ? found : convolved{};
}

/// A gradient g_w with a graph of its own, and the direction v_w of its parameter; undefined where there is none.
struct directed_gradient {
  at::Tensor parameter, gradient, direction;
};

/// H v: the derivatives of Σ_w ⟨g_w, v_w⟩ with respect to every parameter.
///
/// Differentiating LibTorch's weight gradient of a convolution makes it correlate whole images with each other, several times the cost
/// of everything else. So a convolution's share enters and leaves the graph by ordinary products instead. With gy what arrived at
/// y = x ∗ w, ⟨g_w, v⟩ = ⟨gy, x ∗ v⟩ begins at gy and at x; and with ȳ and u what arrives in turn at y and at the gradient of x,
///
///     (H v)_w = ∂⟨x ∗ w, ȳ⟩/∂w + ∂⟨u ∗ w, gy⟩/∂w
[[nodiscard]] inline std::vector<at::Tensor> differentiate_gradients(std::vector<directed_gradient> const& gradients,
                                                                     std::vector<weight_use> const& uses,
                                                                     std::vector<weight_use> const& reversals) {
  graph_roots all;
  for (auto const& each : gradients)
    if (each.gradient.defined()) all.add(each.gradient, each.gradient);
  auto const times_used = count_uses(all);

  graph_roots roots;
  std::vector<convolved> layers;
  torch::autograd::edge_list edges;
  for (auto const& [w, gradient, v] : gradients) {
    auto const& [forward, reverse] = layers.emplace_back(convolved_by(w, uses, reversals, times_used));
    if (forward) {
      edges.insert(edges.end(), {edge_of(*forward), {reverse->node, 0}});
    } else {
      edges.push_back(torch::autograd::impl::gradient_edge(w));
    }
    if (!v.defined() || !gradient.defined()) continue;
    if (!forward) {
      roots.add(gradient, v);
      continue;
    }
    at::NoGradGuard const plain;
    auto const x = forward->input.detach(), gy = reverse->input.detach();
    roots.add(reverse->input, convolve(*forward, x, v));
    if (forward->input.requires_grad()) roots.add(forward->input, convolution_gradient<0>(*forward, x, v, gy));
  }
  auto const arrived = gradients_at(roots, edges);

  at::NoGradGuard const plain;
  std::vector<at::Tensor> result;
  auto next = arrived.begin();
  for (std::size_t i = 0; i < layers.size(); ++i) {
    auto const& [forward, reverse] = layers[i];
    at::Tensor sum = *next++;
    if (forward) {
      auto const w = gradients[i].parameter.detach();
      if (sum.defined()) sum = convolution_gradient<1>(*forward, forward->input.detach(), w, sum);
      if (auto const& u = *next++; u.defined()) {
        auto const other = convolution_gradient<1>(*reverse, u, w, reverse->input.detach());
        sum = sum.defined() ? sum + other : other;
      }
    }
    result.push_back(sum);
  }
  return result;
}

}  // namespace lnpt::detail
