#pragma once
/// Parameters and multiply–adds of every layer, before and after.
#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include <lnpt/core/shape.hpp>
#include <lnpt/structure/multiply_adds.hpp>

namespace lnpt {

/// What one parameter costs.
struct parameter_count {
  std::string name;
  shape extents;
  std::size_t multiply_adds = 0;  ///< for one input; of convolution and linear weights

  [[nodiscard]] std::size_t size() const { return element_count(extents); }
};

/// What a network costs: every parameter, in its order. Counted as LNPT's papers do: weights, biases, γ and β are parameters;
/// multiply–adds are those of convolutions and linear layers.
struct network_count {
  std::vector<parameter_count> parameters;

  [[nodiscard]] std::size_t size() const {
    std::size_t total = 0;
    for (auto const& p : parameters) total += p.size();
    return total;
  }
  [[nodiscard]] std::size_t multiply_adds() const {
    std::size_t total = 0;
    for (auto const& p : parameters) total += p.multiply_adds;
    return total;
  }
  /// The parameter of this name, or null.
  [[nodiscard]] parameter_count const* find(std::string const& name) const {
    auto const found = std::ranges::find(parameters, name, &parameter_count::name);
    return found == parameters.end() ? nullptr : &*found;
  }
};

/// The count of a network of the library's own engine for inputs [C, H, W] or [F].
template <class Network>
[[nodiscard]] network_count count(Network& network, shape const& input) {
  auto const costs = multiply_adds(network, input);
  network_count result;
  for (auto const& p : network.parameters())
    result.parameters.push_back({p.name, shape_of(*p.value), costs[result.parameters.size()]});
  return result;
}

}  // namespace lnpt
