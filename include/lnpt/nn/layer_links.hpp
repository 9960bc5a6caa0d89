#pragma once
/// What a layer is connected to: the nodes it reads and the parameters it owns.
#include <cstddef>
#include <variant>
#include <vector>

namespace lnpt::nn {

/// The nodes a layer reads, in order.
template <class... Layers>
[[nodiscard]] std::vector<std::size_t> inputs_of(std::variant<Layers...> const& layer) {
  return std::visit(
      [](auto const& rules) -> std::vector<std::size_t> {
        if constexpr (requires { rules.inputs; })
          return rules.inputs;
        else if constexpr (requires { rules.first; })
          return {rules.first, rules.second};
        else if constexpr (requires { rules.input; })
          return {rules.input};
        else
          return {};
      },
      layer);
}

/// The parameters a layer owns.
template <class... Layers>
[[nodiscard]] std::vector<std::size_t> parameters_of(std::variant<Layers...> const& layer) {
  return std::visit(
      [](auto const& rules) -> std::vector<std::size_t> {
        std::vector<std::size_t> result;
        if constexpr (requires { rules.weight; }) result.push_back(rules.weight);
        if constexpr (requires { rules.bias; })
          if (rules.bias) result.push_back(*rules.bias);
        if constexpr (requires { rules.shift; }) {
          result.push_back(rules.scale);
          result.push_back(rules.shift);
        }
        return result;
      },
      layer);
}

}  // namespace lnpt::nn
