#pragma once
/// Operators on single numbers.
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include <lnpt/core/activation_function.hpp>
#include <lnpt/io/exported_program/reading.hpp>
#include <lnpt/io/exported_program/spelt_out.hpp>
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
  auto const between = [](double low, double high) {
    if (low > high || low == infinity || high == -infinity) refuse("bounds numbers from ", low, " to ", high);
    return activation_function::hardtanh(low, high);
  };
  if (operation == "relu6") return activation_function::relu6();
  if (operation == "hardtanh") return between(from.number("min_val", -1), from.number("max_val", 1));
  if (operation == "clamp" || operation == "clip") return between(from.number("min", -infinity), from.number("max", infinity));
  if (operation == "clamp_max") return between(-infinity, from.number("max", infinity));
  if (operation == "clamp_min") return between(from.number("min", -infinity), infinity);
  if (operation == "leaky_relu") {
    auto const slope = from.number("negative_slope", 0.01);
    if (!std::isfinite(slope)) refuse("has a slope that is not finite");
    return activation_function::leaky_relu(slope);
  }
  if (operation == "silu") return {silu};
  if (operation == "sigmoid") return {sigmoid};
  if (operation == "hardswish") return {hardswish};
  if (operation == "hardsigmoid") return {hardsigmoid};
  if (operation == "gelu") return {from.text("approximate", "none") == "tanh" ? gelu_by_tanh : gelu};
  if (operation == "reciprocal") return {reciprocal};
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

/// elu, celu and selu are one function of PyTorch's with three numbers: λ x above 0, λ α (exp(s x) − 1) below, which is
///
///     λ/s elu(s x),      with elu's slope of α s
///
/// celu: s = 1/α. Barron 2017, arXiv:1704.07483. selu: α = 1.6732…, λ = 1.0507…. Klambauer et al., NeurIPS 2017, arXiv:1706.02515.
template <class Backend>
void give_elu(reading<Backend>& r, call const& from, std::string const& x, double alpha, double scale, double inner) {
  if (!std::isfinite(alpha) || !std::isfinite(scale) || !std::isfinite(inner) || inner <= 0)
    refuse("has alpha = ", alpha, ", scale = ", scale, " and input_scale = ", inner,
           ", which must be finite and the last positive");
  auto const name = r.node_name(from);
  auto node = r.node_of(x);
  if (inner != 1) node = r.network().add(name, nn::affine_constant{node, inner, 0});
  node = r.network().add(name, nn::activation{node, activation_function::elu(alpha * inner)});
  if (scale != inner) node = r.network().add(name, nn::affine_constant{node, scale / inner, 0});
  r.give_node(from, node, r.at(x).extents.size() == 2);
}

template <class Backend>
void read_elu(reading<Backend>& r, call const& from) {
  auto const operation = plain_name(from.target());
  auto const selu = operation == "selu";
  auto const alpha = selu ? 1.6732632423543772848170429916717 : from.number("alpha", 1);
  auto const scale = selu ? 1.0507009873554804934193349852946 : from.number("scale", 1);
  give_elu(r, from, from.tensor("self"), alpha, scale, operation == "celu" ? 1 / alpha : from.number("input_scale", 1));
}

template <class Backend>
void give_prelu(reading<Backend>& r, call const& from, std::string const& x, std::string const& slopes) {
  auto const input = r.node_of(x);
  auto const slope = r.parameter_of(slopes);
  auto const& image = r.network().shapes()[input];
  auto const channels = image.size() == 4 ? image[0] : image[1];
  if (auto const& extents = r.network().parameter_shapes()[slope]; extents != shape{channels} && extents != shape{1})
    refuse("has ", list(extents), " slopes for ", channels, " channels");
  r.give(from, x, nn::prelu{input, slope});
}
template <class Backend>
void read_prelu(reading<Backend>& r, call const& from) {
  give_prelu(r, from, from.tensor("self"), from.tensor("weight"));
}

/// PReLU or CELU in the call that completes it.
template <class Backend>
void read_spelt_out(reading<Backend>& r, call const& from, spelt_out_function const& f) {
  if (f.slopes)
    give_prelu(r, from, f.x, *f.slopes);
  else
    give_elu(r, from, f.x, f.alpha, 1, 1 / f.alpha);
}

}  // namespace lnpt::io::exported
