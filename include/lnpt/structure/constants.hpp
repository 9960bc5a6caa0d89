#pragma once
/// Channels that a mask leaves constant: what they say is measured where it is read.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include <lnpt/core/normalization.hpp>
#include <lnpt/core/tensor.hpp>
#include <lnpt/structure/certificate.hpp>
#include <lnpt/structure/channel_map.hpp>

namespace lnpt {

/// The value of every channel of a node that is the same at all positions of all samples; empty where it is not.
using channel_constants = std::map<std::size_t, std::vector<std::optional<double>>>;

namespace detail {

/// Narrows the constants of one node down to those that this output, [C, N, H, W] or [N, F], agrees with.
template <class T>
void agree(std::vector<std::optional<double>>& constants, std::vector<T> const& values, shape const& extents, bool first) {
  auto const image = extents.size() == 4;
  auto const channels = image ? extents[0] : extents[1];
  auto const samples = values.size() / channels;
  for (std::size_t c = 0; c < channels; ++c)
    for (std::size_t i = 0; i < samples; ++i) {
      auto const value = static_cast<double>(values[image ? c * samples + i : i * channels + c]);
      if (first && i == 0) constants[c] = value;
      if (!constants[c]) break;
      if (!(std::abs(value - *constants[c]) <= equality_tolerance<T> * 0.1 * std::abs(*constants[c]))) constants[c].reset();
    }
}

}  // namespace detail

/// What is constant at these nodes when the network, in eval mode, reads each of the inputs.
template <class Network>
[[nodiscard]] channel_constants constants_at(Network const& network, std::set<std::size_t> const& nodes,
                                             std::vector<tensor_of<Network>> const& inputs) {
  channel_constants result;
  for (std::size_t n = 0; n < inputs.size(); ++n)
    network.watch(inputs[n], {}, [&](std::size_t node, tensor_of<Network> const& output) {
      if (!nodes.contains(node)) return;
      auto const extents = Network::backend::extents(output);
      auto& constants = result[node];
      constants.resize(extents.size() == 4 ? extents[0] : extents[1]);
      detail::agree(constants, values_of(output), extents, n == 0);
    });
  return result;
}

}  // namespace lnpt
