#pragma once
/// What a layer is connected to: the nodes it reads and the parameters it owns.
#include <concepts>
#include <cstddef>
#include <variant>
#include <vector>

#include <lnpt/core/shape.hpp>

namespace lnpt::nn {

/// The numbers of nodes or of parameters.
using links = std::vector<std::size_t>;

/// Rules that say what they read and own: `inputs()`, the nodes in order, and `parameters()`. A pass frees what nobody reads any more
/// and skips what no wanted parameter lies behind, so that a layer which kept silent would lose its input.
template <class Rules>
concept linked = requires(Rules const& rules) {
  { rules.inputs() } -> std::same_as<links>;
  { rules.parameters() } -> std::same_as<links>;
};

namespace detail {
template <class Layer>
inline constexpr bool all_linked = false;
template <class... Rules>
inline constexpr bool all_linked<std::variant<Rules...>> = (linked<Rules> && ...);
}  // namespace detail

/// The nodes that a layer reads, in order.
template <class... Rules>
[[nodiscard]] links inputs_of(std::variant<Rules...> const& layer) {
  return std::visit([](auto const& rules) { return rules.inputs(); }, layer);
}

/// The parameters that a layer owns.
template <class... Rules>
[[nodiscard]] links parameters_of(std::variant<Rules...> const& layer) {
  return std::visit([](auto const& rules) { return rules.parameters(); }, layer);
}

/// The buffers that a layer reads: `buffers()` of its rules, or none.
template <class... Rules>
[[nodiscard]] links buffers_of(std::variant<Rules...> const& layer) {
  return std::visit(
      [](auto const& rules) {
        if constexpr (requires { rules.buffers(); })
          return rules.buffers();
        else
          return links{};
      },
      layer);
}

/// The shape of a layer's output, [C, N, H, W] or [N, F], from those of the nodes before it and of the network's parameters.
template <class... Rules>
[[nodiscard]] shape output_shape(std::variant<Rules...> const& layer, std::vector<shape> const& nodes,
                                 std::vector<shape> const& parameters) {
  return std::visit(
      [&](auto const& rules) {
        if constexpr (requires { rules.output_shape(nodes, parameters); })
          return rules.output_shape(nodes, parameters);
        else
          return rules.output_shape(nodes);
      },
      layer);
}

}  // namespace lnpt::nn
