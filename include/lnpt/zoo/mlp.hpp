#pragma once
/// Multi-layer perceptrons.
#include <span>

#include <lnpt/nn/builder.hpp>

namespace lnpt::zoo {

/// Linear layers `hidden.0 … hidden.N` with ReLU between them, then `fc`; images are flattened first. `sizes` counts the input, every
/// hidden layer and the classes.
template <class Backend>
[[nodiscard]] network<Backend> mlp(std::span<std::size_t const> sizes, std::uint64_t seed = 0,
                                   typename Backend::context const& context = {}) {
  if (sizes.size() < 2) fail("an mlp needs at least its input width and its class count, such as {784, 300, 10}");
  network_builder<Backend> net(sizes.front(), seed, context);
  auto at = net.flatten(net.input());
  for (std::size_t i = 0; i + 2 < sizes.size(); ++i) at = net.relu(net.linear("hidden." + std::to_string(i), at, sizes[i + 1]));
  net.classifier("fc", at, sizes.back());
  return std::move(net).build();
}

}  // namespace lnpt::zoo
