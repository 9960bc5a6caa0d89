#pragma once
/// Batch norms folded into the convolutions before them.
#include <cmath>
#include <cstddef>
#include <optional>
#include <variant>
#include <vector>

#include <lnpt/core/tensor.hpp>
#include <lnpt/nn/network.hpp>

namespace lnpt::io::detail {

/// The batch norm of every convolution that nothing but this norm reads; null for other nodes.
template <class Network>
[[nodiscard]] std::vector<nn::batch_norm const*> foldable_norms(Network const& network) {
  auto const& nodes = network.nodes();
  std::vector<std::size_t> readers(nodes.size());
  for (auto const& node : nodes)
    for (auto const i : nn::inputs_of(node.rules)) ++readers[i];
  std::vector<nn::batch_norm const*> norms(nodes.size());
  for (auto const& node : nodes)
    if (auto const* const norm = std::get_if<nn::batch_norm>(&node.rules))
      if (readers[norm->input] == 1 &&
          std::visit([](auto const& layer) { return requires { layer.geometry; }; }, nodes[norm->input].rules))
        norms[norm->input] = norm;
  return norms;
}

/// y = slope · x + offset, a value per channel.
struct slope_and_offset {
  std::vector<double> slope, offset;
};

/// γ/√(σ² + ε) and β − μ times that.
template <class Network>
[[nodiscard]] slope_and_offset constants_of(Network& network, nn::batch_norm const& norm) {
  auto const mean = values_of(*network.buffers()[norm.mean].value);
  auto const variance = values_of(*network.buffers()[norm.variance].value);
  auto const affine = [&](std::optional<std::size_t> parameter, double otherwise) {
    if (!parameter) return std::vector<double>(mean.size(), otherwise);
    auto const held = values_of(*network.parameters()[*parameter].value);
    return std::vector<double>(held.begin(), held.end());
  };
  slope_and_offset result{affine(norm.scale, 1), affine(norm.shift, 0)};
  for (std::size_t c = 0; c < mean.size(); ++c) {
    result.slope[c] /= std::sqrt(static_cast<double>(variance[c]) + norm.epsilon);
    result.offset[c] -= static_cast<double>(mean[c]) * result.slope[c];
  }
  return result;
}

/// What a convolution and its batch norm are together.
struct folded_convolution {
  std::vector<float> weights, bias;
};

/// The weights times the slope, and slope · bias + offset, worked out in double.
template <class Network, class Geometry>
[[nodiscard]] folded_convolution fold(Network& network, nn::conv2d<Geometry> const& layer, nn::batch_norm const& norm) {
  auto const [slope, offset] = constants_of(network, norm);
  auto const exact = values_of(*network.parameters()[layer.weight].value);
  folded_convolution result{std::vector<float>(exact.size()), {offset.begin(), offset.end()}};
  auto const row = exact.size() / slope.size();
  for (std::size_t i = 0; i < exact.size(); ++i)
    result.weights[i] = static_cast<float>(static_cast<double>(exact[i]) * slope[i / row]);
  if (!layer.bias) return result;
  auto const own = values_of(*network.parameters()[*layer.bias].value);
  for (std::size_t o = 0; o < own.size(); ++o)
    result.bias[o] = static_cast<float>(static_cast<double>(own[o]) * slope[o] + offset[o]);
  return result;
}

}  // namespace lnpt::io::detail
