#pragma once
/// SynFlow's flow through a module of LibTorch, in the parameters' own precision as long as it is wide enough.
#include <ATen/ATen.h>

#include <cmath>
#include <limits>
#include <vector>

#include <lnpt/torch/pass/forward.hpp>

namespace lnpt::detail {

/// The network with every parameter and running statistic by its absolute value, and the weights whose flow is wanted.
///
/// R of a deep network overflows float. Networks of linear, convolution, ReLU, pooling, add and constant-norm layers are homogeneous:
/// with the input and everything that is added or subtracted (biases, running means) times 2ᵏ, so is the output, exactly. So where R
/// overflows, a small k brings every intermediate value back into range; where the network turns out not to be homogeneous, or k is
/// not enough, the flow is computed in double.
struct flow_network {
  torch_network const& network;
  std::vector<at::Tensor> weights;

  /// ∂R/∂|θ| up to one common positive factor; undefined where R does not depend on a weight.
  [[nodiscard]] std::vector<at::Tensor> flow(std::vector<std::int64_t> sizes, at::ScalarType type) const {
    if (weights.empty()) return {};
    require_full_precision(weights.front().device().type());
    sizes[0] = 2;  // LibTorch's fast convolutions on the CPU begin at two samples
    auto found = flow_at(sizes, type, 0);
    if (finite(found)) return found;
    if (type != at::kDouble && homogeneous(sizes, type))
      for (int const exponent : {-60, -120})
        if (found = flow_at(sizes, type, exponent); finite(found)) return found;
    found = flow_at(sizes, at::kDouble, 0);
    if (!finite(found)) fail("the synaptic flow of this network overflows double: prune it by another criterion");
    return in_range_of(type, std::move(found));
  }

 private:
  [[nodiscard]] static bool is_shift(lnpt::role role) { return role == lnpt::role::bias || role == lnpt::role::norm_shift; }

  void replace(storage_guard& storage, at::Tensor const& tensor, at::ScalarType type, double factor) const {
    auto const absolute = tensor.detach().to(type).abs();
    storage.replace(tensor, factor == 1.0 ? absolute : absolute.mul(factor));
  }

  /// Calls `use(R's input)` with everything by its absolute value and all shifts times 2ᵏ.
  template <class Use>
  auto with_absolute_values(std::vector<std::int64_t> const& sizes, at::ScalarType type, int exponent, Use use) const {
    auto const factor = std::ldexp(1.0, exponent);
    mode_guard const modes(network.tree, norm_mode::eval);
    storage_guard storage;
    for (auto const* group : {&network.layout.parameters, &network.layout.frozen})
      for (auto const& p : *group)
        if (at::isFloatingType(p.value.scalar_type())) replace(storage, p.value, type, is_shift(p.role) ? factor : 1.0);
    for (auto const& entry : network.tree)
      for (auto const& buffer : entry.buffers()) {
        if (buffer.name == "running_mean") replace(storage, buffer.value, type, factor);
        if (buffer.name == "running_var") replace(storage, buffer.value, type, 1.0);
      }
    return use(at::full(sizes, factor, weights.front().options().requires_grad(false).dtype(type)));
  }

  [[nodiscard]] std::vector<at::Tensor> flow_at(std::vector<std::int64_t> const& sizes, at::ScalarType type, int exponent) const {
    return with_absolute_values(sizes, type, exponent, [&](at::Tensor const& x) {
      at::AutoGradMode const recording(true);
      auto const output = network.logits(x);
      graph_roots roots;
      roots.add(output, at::full_like(output, std::ldexp(0.5, exponent)).detach());  // the mean of the two
      return differentiate(roots, weights);
    });
  }

  /// Whether a factor of the input and the shifts is one of the output, to the bit.
  [[nodiscard]] bool homogeneous(std::vector<std::int64_t> const& sizes, at::ScalarType type) const {
    at::NoGradGuard const plain;
    auto const output_at = [&](int exponent) {
      return with_absolute_values(sizes, type, exponent, [&](at::Tensor const& x) { return network.logits(x); });
    };
    return output_at(-100).mul(4.0).equal(output_at(-98));
  }

  [[nodiscard]] static bool finite(std::vector<at::Tensor> const& flows) {
    std::vector<at::Tensor> sums;
    for (auto const& each : flows)
      if (each.defined()) sums.push_back(each.sum());
    return sums.empty() || at::stack(sums).isfinite().all().item<bool>();
  }

  /// Divided by one common power of two where `type` would not hold the largest.
  [[nodiscard]] static std::vector<at::Tensor> in_range_of(at::ScalarType type, std::vector<at::Tensor> flows) {
    auto largest = 0.0;
    for (auto const& each : flows)
      if (each.defined()) largest = std::max(largest, each.max().item<double>());
    constexpr auto limit = std::numeric_limits<float>::max_exponent * 3 / 4;
    auto const exponent = largest > 0 ? std::ilogb(largest) : 0;
    auto const factor = std::ldexp(1.0, exponent > limit ? -exponent : 0);
    for (auto& each : flows)
      if (each.defined()) each = each.mul(factor).to(type);
    return flows;
  }
};

}  // namespace lnpt::detail
