#pragma once
/// Operators on single numbers.
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include <lnpt/core/activation_function.hpp>
#include <lnpt/io/exported_program/reading.hpp>
#include <lnpt/nn/activation.hpp>
#include <lnpt/nn/arithmetic.hpp>
#include <lnpt/nn/prelu.hpp>
#include <lnpt/nn/relu.hpp>

namespace lnpt::io::exported {

/// max(0, x), in the node of x where that layer can.
template <class Backend>
void read_relu(reading<Backend>& r, call const& from) {
  auto const x = from.tensor("self");
  auto const input = r.node_of(x);
  if (r.network().rectify(input))
    r.alias(from, x);
  else
    r.give(from, x, nn::relu{input});
}

/// The function of an operator that maps each number by itself.
[[nodiscard]] inline activation_function function_of(call const& from, std::string_view operation) {
  constexpr auto infinity = std::numeric_limits<double>::infinity();
  using enum activation_kind;
  if (operation == "relu6") return activation_function::relu6();
  if (operation == "hardtanh") return activation_function::hardtanh(from.number("min_val", -1), from.number("max_val", 1));
  if (operation == "clamp") return activation_function::hardtanh(from.number("min", -infinity), from.number("max", infinity));
  if (operation == "clamp_max") return activation_function::hardtanh(-infinity, from.number("max", infinity));
  if (operation == "clip") return activation_function::hardtanh(from.number("min", -infinity), from.number("max", infinity));
  if (operation == "clamp_min") return activation_function::hardtanh(from.number("min", -infinity), infinity);
  if (operation == "leaky_relu") return activation_function::leaky_relu(from.number("negative_slope", 0.01));
  if (operation == "elu") {
    if (from.number("scale", 1) != 1 || from.number("input_scale", 1) != 1) refuse("is scaled, as selu is");
    return activation_function::elu(from.number("alpha", 1));
  }
  if (operation == "celu" && from.number("alpha", 1) == 1) return activation_function::elu(1);
  if (operation == "silu") return {silu};
  if (operation == "sigmoid") return {sigmoid};
  if (operation == "hardswish") return {hardswish};
  if (operation == "hardsigmoid") return {hardsigmoid};
  if (operation == "gelu") return {from.text("approximate", "none") == "tanh" ? gelu_by_tanh : gelu};
  if (operation == "tanh") return {activation_kind::tanh};
  refuse("is no function that a layer computes");
}

template <class Backend>
void read_activation(reading<Backend>& r, call const& from) {
  auto const x = from.tensor("self");
  auto const f = function_of(from, plain_name(from.target()));
  if (!r.is_held(x)) return r.give(from, x, nn::activation{r.node_of(x), f});
  r.give_held(from, [&to = r.network(), of = r.held(x), name = r.node_name(from), f](shape const& image) {
    return to.add(name, nn::activation{of(image), f});
  });
}

/// λ elu(x) with α = 1.6732…, λ = 1.0507…. Klambauer et al., NeurIPS 2017, arXiv:1706.02515.
template <class Backend>
void read_selu(reading<Backend>& r, call const& from) {
  auto const x = from.tensor("self");
  auto const bent = r.network().add(r.node_name(from),
                                    nn::activation{r.node_of(x), activation_function::elu(1.6732632423543772848170429916717)});
  r.give(from, x, nn::affine_constant{bent, 1.0507009873554804934193349852946, 0});
}

template <class Backend>
void read_prelu(reading<Backend>& r, call const& from) {
  auto const x = from.tensor("self");
  auto const input = r.node_of(x);
  auto const slope = r.parameter_of(from.tensor("weight"));
  auto const& image = r.network().shapes()[input];
  auto const channels = image.size() == 4 ? image[0] : image[1];
  if (auto const& extents = r.network().parameter_shapes()[slope]; extents != shape{channels} && extents != shape{1})
    refuse("has ", list(extents), " slopes for ", channels, " channels");
  r.give(from, x, nn::prelu{input, slope});
}

}  // namespace lnpt::io::exported
