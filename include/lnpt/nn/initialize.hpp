#pragma once
/// Fresh weights for a network that has some.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <variant>
#include <vector>

#include <lnpt/core/parameter.hpp>
#include <lnpt/core/random.hpp>
#include <lnpt/core/shape.hpp>
#include <lnpt/core/tensor.hpp>
#include <lnpt/nn/network.hpp>

namespace lnpt {

/// Draws all weights anew by the layers that hold them, a pure function of the seed: convolutions and linear layers Kaiming-normal over
/// the fan-in, N(0, 2 / fan_in) (He et al., ICCV 2015, arXiv:1502.01852), biases 0, the slopes of a PReLU ¼, batch norm γ = 1 and β = 0,
/// running means 0 and variances 1. Leaves, the constants and learnt scales of a network, keep their values.
template <class Backend>
void initialize(network<Backend>& model, std::uint64_t seed) {
  using array = typename Backend::array;
  std::vector<char> is_slope(model.parameters().size());
  std::vector<char> stays(model.parameters().size());
  for (auto const& node : model.nodes()) {
    if (auto const* const prelu = std::get_if<nn::prelu>(&node.rules)) is_slope[prelu->slope] = 1;
    if (auto const* const leaf = std::get_if<nn::leaf>(&node.rules); leaf && !leaf->is_buffer) stays[leaf->tensor] = 1;
  }
  auto const fill = [](auto const& each, double value) {
    *each.value = tensor_traits<array>::make(
        shape_of(*each.value),
        std::vector<typename Backend::scalar>(size_of(*each.value), static_cast<typename Backend::scalar>(value)), *each.value);
  };
  for (std::size_t p = 0; auto const& each : model.parameters()) {
    if (is_prunable(each.role)) {
      auto const extents = shape_of(*each.value);
      auto const deviation = std::sqrt(2.0 / static_cast<double>(element_count(extents) / extents.front()));
      std::vector<typename Backend::scalar> values(element_count(extents));
      for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = static_cast<typename Backend::scalar>(deviation * normal(seed, p, i).first);
      *each.value = tensor_traits<array>::make(extents, values, *each.value);
    } else if (!stays[p]) {
      fill(each, each.role == role::norm_scale ? 1 : is_slope[p] ? 0.25 : 0);
    }
    ++p;
  }
  for (auto const& each : model.buffers())
    if (each.role != role::constant) fill(each, each.role == role::running_variance ? 1 : 0);
}

}  // namespace lnpt
