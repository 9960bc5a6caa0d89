#pragma once
/// Operators with weights: convolutions, linear layers and batch normalisation.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <lnpt/core/window.hpp>
#include <lnpt/io/exported_program/reading.hpp>
#include <lnpt/nn/batch_norm.hpp>
#include <lnpt/nn/conv2d.hpp>
#include <lnpt/nn/linear.hpp>

namespace lnpt::io::exported {

/// An argument of one number for each axis, or one for all of them. Over a line the height's is the least that there is: a padding of 0,
/// all else of 1.
[[nodiscard]] inline per_axis two_numbers(call const& from, std::string_view argument, std::vector<std::int64_t> const& otherwise,
                                          bool line) {
  auto const given = from.integers(argument, otherwise);
  std::size_t const across = argument == "padding" ? 0 : 1;
  auto const number = [&](std::int64_t n) {
    if (n < static_cast<std::int64_t>(across) || n > max_number)
      refuse("has ", argument, " = ", list(given), ", of which every number must be from ", across, " to ", max_number);
    return static_cast<std::size_t>(n);
  };
  if (line && given.size() == 1) return {across, number(given[0])};
  if (!line && given.size() == 1) return {number(given[0]), number(given[0])};
  if (!line && given.size() == 2) return {number(given[0]), number(given[1])};
  refuse("has ", argument, " = ", list(given), " for the axes of ", line ? "a line" : "an image");
}

/// Zero padding that keeps the extent, the odd pixel at the end: what PyTorch's convolutions call "same".
[[nodiscard]] constexpr margins same_padding(per_axis kernel, per_axis dilation) {
  auto const down = dilation.h * (kernel.h - 1);
  auto const across = dilation.w * (kernel.w - 1);
  return {down / 2, across / 2, down - down / 2, across - across / 2};
}

template <class Backend>
void read_convolution(reading<Backend>& r, call const& from) {
  using geometry_type = typename Backend::conv_geometry;
  auto const x = from.tensor("input");
  auto const input = r.image_of(x);
  auto const line = r.at(x).extents.size() == 2;
  if (from.flag("transposed", false)) refuse("is a transposed convolution");
  auto const weight = r.kernels_of(from.tensor("weight"));
  auto const extents = r.network().parameter_shapes()[weight];
  if (extents.size() != 4) refuse("has weights of shape ", list(extents));

  geometry_type g;
  g.kernel = per_axis{extents[2], extents[3]};
  g.stride = two_numbers(from, "stride", {1}, line);
  g.dilation = two_numbers(from, "dilation", {1}, line);
  auto const groups = from.integer("groups", 1);
  auto const& image = r.network().shapes()[input];
  if (groups < 1 || image[0] != extents[1] * static_cast<std::size_t>(groups) ||
      extents[0] % static_cast<std::size_t>(groups) != 0)
    refuse("takes images of ", image[0], " channels to weights of shape ", list(extents), " in ", groups, " groups");
  g.groups = static_cast<std::size_t>(groups);
  if (from.target().ends_with(".padding")) {
    auto const padding = from.text("padding", "valid");
    if (padding != "valid" && padding != "same") refuse("has a padding \"", padding, "\"");
    g.padding = padding == "same" ? same_padding(g.kernel, g.dilation) : margins{0};
  } else {
    auto const padding = two_numbers(from, "padding", {0}, line);
    g.padding = margins{padding.h, padding.w};
  }
  if (!g.vertical().fits(image[2]) || !g.horizontal().fits(image[3]))
    refuse("slides a window of ", g.kernel, " over an image of ", image[2], "×", image[3]);
  auto const bias = r.parameter_of(from.optional_tensor("bias"));
  r.give(from, x, nn::conv2d<geometry_type>{input, weight, bias, g});
}

namespace detail {

template <class Backend>
void give_linear(reading<Backend>& r, call const& from, std::string const& x, std::size_t weight,
                 std::optional<std::size_t> bias) {
  auto const input = r.matrix_of(x);
  auto const& extents = r.network().parameter_shapes()[weight];
  if (extents.size() != 2 || extents[1] != r.network().shapes()[input][1])
    refuse("takes ", r.network().shapes()[input][1], " features to weights of shape ", list(extents));
  if (bias && r.network().parameter_shapes()[*bias] != shape{extents[0]})
    refuse("adds a bias of shape ", list(r.network().parameter_shapes()[*bias]), " to ", extents[0], " features");
  r.give(from, x, nn::linear{input, weight, bias});
}

}  // namespace detail

template <class Backend>
void read_linear(reading<Backend>& r, call const& from) {
  auto const weight = r.parameter_of(from.tensor("weight"));
  detail::give_linear(r, from, from.tensor("input"), weight, r.parameter_of(from.optional_tensor("bias")));
}

/// A linear layer as `run_decompositions` writes it: addmm(bias, x, Wᵀ), or mm(x, Wᵀ).
template <class Backend>
void read_product(reading<Backend>& r, call const& from) {
  auto const has_bias = plain_name(from.target()) == "addmm";
  if (has_bias && (from.number("alpha", 1) != 1 || from.number("beta", 1) != 1)) refuse("scales its bias or its product");
  auto const x = has_bias ? from.tensor("mat1") : from.tensor("self");
  auto const weight = r.transposed_parameter_of(from.tensor("mat2"));
  detail::give_linear(r, from, x, weight, has_bias ? std::optional(r.parameter_of(from.tensor("self"))) : std::nullopt);
}

/// The flag that says which statistics to use is what the program was exported with; a network is told by each pass.
template <class Backend>
void read_batch_norm(reading<Backend>& r, call const& from) {
  auto const x = from.tensor("input");
  auto const input = r.channels_of(x);
  if (!from.optional_tensor("running_mean") || !from.optional_tensor("running_var"))
    refuse("normalises by each batch's own statistics in every mode (track_running_stats=False)");
  nn::batch_norm layer{.input = input,
                       .scale = r.parameter_of(from.optional_tensor("weight")),
                       .shift = r.parameter_of(from.optional_tensor("bias")),
                       .mean = r.buffer_of(from.tensor("running_mean")),
                       .variance = r.buffer_of(from.tensor("running_var")),
                       .index = r.network().next_norm()};
  layer.epsilon = from.number("eps", layer.epsilon);
  layer.momentum = from.number("momentum", layer.momentum);
  if (!(layer.epsilon > 0) || !std::isfinite(layer.epsilon))
    refuse("adds eps = ", layer.epsilon, " to its variances, which must be a positive number");
  auto const channels = shape{r.network().shapes()[input][0]};
  auto const fits = [&](std::vector<shape> const& extents, nn::links const& held) {
    return std::ranges::all_of(held, [&](std::size_t i) { return extents[i] == channels; });
  };
  if (!fits(r.network().parameter_shapes(), layer.parameters()) || !fits(r.network().buffer_shapes(), layer.buffers()))
    refuse("normalises ", channels[0], " channels by tensors of other lengths");
  r.give_channels(from, x, layer);
}

}  // namespace lnpt::io::exported
