#pragma once
/// A network on another backend, and its values back again.
#include <concepts>
#include <cstddef>
#include <span>

#include <lnpt/core/error.hpp>
#include <lnpt/core/tensor.hpp>
#include <lnpt/nn/network.hpp>

namespace lnpt {

/// The same layers, names and values on the backend `To`; everything passes through host memory once.
///
///     auto on_gpu = on_backend<cudnn::backend<float>>(net);
template <class To, class From>
  requires std::same_as<nn::layer<To>, nn::layer<From>>
[[nodiscard]] network<To> on_backend(network<From>& net, typename To::context context = {}) {
  using array = typename To::array;
  array const near = To::constant({1}, 0.0, context);
  network<To> result(context);
  for (auto const& p : net.parameters()) result.add_parameter(p.name, p.role, convert<array>(*p.value, near));
  for (auto const& b : net.buffers()) result.add_buffer(b.name, b.role, convert<array>(*b.value, near));
  for (auto const& node : std::span(net.nodes()).subspan(1)) result.add_node(node.name, node.rules);  // the first is the input
  result.set_features(net.features_node());
  return result;
}

/// Gives every parameter and buffer of `to` the values of its namesake in `from`, the same network on another backend. Throws
/// `lnpt::error`, and changes nothing, where they are not the same.
template <class To, class From>
void copy_values(network<From>& from, network<To>& to) {
  using array = typename To::array;
  auto const for_each = [](auto sources, auto targets, auto f) {
    if (sources.size() != targets.size())
      fail("one network has ", sources.size(), " tensors and the other ", targets.size(),
           ": copy between two of the same layers");
    for (std::size_t i = 0; i < sources.size(); ++i) f(sources[i], targets[i]);
  };
  auto const same = [](auto const& a, auto const& b) {
    if (a.name != b.name || shape_of(*a.value) != shape_of(*b.value))
      fail(a.name, ' ', list(shape_of(*a.value)), " stands in the place of ", b.name, ' ', list(shape_of(*b.value)),
           ": copy between two networks of the same layers");
  };
  auto const copy = [](auto const& a, auto const& b) { assign(*b.value, convert<array>(*a.value, *b.value)); };
  for_each(from.parameters(), to.parameters(), same);
  for_each(from.buffers(), to.buffers(), same);
  for_each(from.parameters(), to.parameters(), copy);
  for_each(from.buffers(), to.buffers(), copy);
}

}  // namespace lnpt
