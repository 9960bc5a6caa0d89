#pragma once
/// Networks of the library's own engine as ONNX files.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include <lnpt/io/atomic_file.hpp>
#include <lnpt/io/convert_values.hpp>
#include <lnpt/io/onnx_folding.hpp>
#include <lnpt/io/onnx_operators.hpp>
#include <lnpt/nn/layer_links.hpp>
#include <lnpt/nn/network.hpp>
#include <lnpt/structure/shapes.hpp>

namespace lnpt::io {

/// How to write an ONNX file.
struct onnx_options {
  bool fold_batch_norm = true;  ///< into the convolution before it, where nothing else reads that
  std::string input = "input";
  std::string output = "logits";
};

namespace detail {

/// Writes one layer after the other; each call returns the name of what the layer says. A layer without an ONNX form does not compile.
template <class Network>
class onnx_export : private onnx_operators {
 public:
  using array = tensor_of<Network>;

  onnx_export(Network& network, shape const& input, onnx_options const& options)
      : network_(network), shapes_(node_shapes(network, input)), folded_into_(network.nodes().size()) {
    if (options.input == options.output)
      fail("input and output of an ONNX file are both to be called ", options.input, ": give them two names");
    if (options.fold_batch_norm) folded_into_ = foldable_norms(network);
    for (auto const& node : network.nodes()) {
      auto const inputs = nn::inputs_of(node.rules);
      constant_.push_back(std::holds_alternative<nn::leaf>(node.rules) ||
                          (!inputs.empty() && std::ranges::all_of(inputs, [this](std::size_t i) { return constant_[i] != 0; })));
    }
    values_.push_back(graph().unique(options.input));
    auto const output = graph().unique(options.output);  // before a layer of this name takes it
    graph().input(options.input, input);
    for (at_ = 1; at_ < network.nodes().size(); ++at_) {
      enter(network.nodes()[at_].name);
      values_.push_back(std::visit([&](auto const& layer) { return write(layer); }, network.nodes()[at_].rules));
    }
    graph().add_named("Identity", {values_.back()}, output);
    graph().output(output, sample_of(shapes_.back()));
  }

  [[nodiscard]] std::string bytes() const { return graph().bytes("lnpt"); }

 private:
  using names = std::vector<std::string>;

  /// One sample [C, H, W] or [F] of an activation [C, 1, H, W] or [1, F].
  [[nodiscard]] static shape sample_of(shape const& s) { return s.size() == 4 ? shape{s[0], s[2], s[3]} : shape{s.back()}; }
  [[nodiscard]] shape const& in(std::size_t node) const { return shapes_[node]; }
  /// [C, H, W] or [F]
  [[nodiscard]] shape sample(std::size_t node) const {
    auto const& x = in(node);
    return x.size() == 4 ? shape{x[0], x[2], x[3]} : shape{x[1]};
  }

  [[nodiscard]] std::vector<float> floats(std::string const& name, array const& values) const {
    return detail::in_range_of<float>(name, values_of(values));
  }
  std::string parameter(std::size_t index) {
    auto const p = network_.parameters()[index];
    return graph().weights(p.name, shape_of(*p.value), floats(p.name, *p.value));
  }
  std::string buffer(std::size_t index) {
    auto const b = network_.buffers()[index];
    return graph().weights(b.name, shape_of(*b.value), floats(b.name, *b.value));
  }

  std::string write(nn::input const&) { fail("an input in the middle of a network has no ONNX form: begin the network with it"); }

  template <class Geometry>
  std::string write(nn::conv2d<Geometry> const& layer) {
    auto attributes = window_attributes(layer.geometry);
    attributes.push_back(
        onnx_graph::numbers("dilations", std::array{layer.geometry.vertical().dilation, layer.geometry.horizontal().dilation}));
    attributes.push_back(onnx_graph::number("group", static_cast<std::int64_t>(layer.geometry.groups)));
    names inputs{values_[layer.input]};
    if (auto const* const norm = folded_into_[at_]) {
      auto const [weights, bias] = fold(network_, layer, *norm);
      inputs.push_back(graph().weights(network_.parameters()[layer.weight].name,
                                       shape_of(*network_.parameters()[layer.weight].value), weights));
      inputs.push_back(graph().weights(layer_name() + ".bias", {bias.size()}, bias));
    } else {
      inputs.push_back(parameter(layer.weight));
      if (layer.bias) inputs.push_back(parameter(*layer.bias));
    }
    return apply("Conv", inputs, attributes);
  }

  std::string write(nn::linear const& layer) {
    names inputs{values_[layer.input], parameter(layer.weight)};
    if (layer.bias) inputs.push_back(parameter(*layer.bias));
    return apply("Gemm", inputs, {onnx_graph::number("transB", 1)});
  }

  std::string write(nn::batch_norm const& layer) {
    if (folded_into_[layer.input] == &std::get<nn::batch_norm>(network_.nodes()[at_].rules))
      return rectified(values_[layer.input], layer.rectify);
    auto const width = in(layer.input)[0];
    auto const affine = [&](std::optional<std::size_t> held, char const* name, float otherwise) {
      return held ? parameter(*held) : graph().weights(layer_name() + name, {width}, std::vector<float>(width, otherwise));
    };
    names const inputs{values_[layer.input], affine(layer.scale, ".weight", 1), affine(layer.shift, ".bias", 0),
                       buffer(layer.mean), buffer(layer.variance)};
    return rectified(apply("BatchNormalization", inputs,
                           {onnx_graph::real("epsilon", layer.epsilon), onnx_graph::real("momentum", 1 - layer.momentum)}),
                     layer.rectify);
  }

  std::string write(nn::relu const& layer) { return apply("Relu", {values_[layer.input]}); }

  std::string write(nn::activation const& layer) { return activation(values_[layer.input], layer.function); }

  std::string write(nn::prelu const& layer) {
    auto const p = network_.parameters()[layer.slope];
    auto const slopes = floats(p.name, *p.value);
    auto const image = in(layer.input).size() == 4 && slopes.size() > 1;
    return apply("PRelu", {values_[layer.input],
                           graph().weights(p.name, image ? shape{slopes.size(), 1, 1} : shape{slopes.size()}, slopes)});
  }

  std::string write(nn::multiply const& layer) { return of_two("Mul", layer); }
  std::string write(nn::subtract const& layer) { return of_two("Sub", layer); }
  std::string write(nn::divide const& layer) { return of_two("Div", layer); }
  template <class Layer>
  std::string of_two(char const* operation, Layer const& layer) {
    return apply(operation, {stretched(layer.first), stretched(layer.second)});
  }
  /// An operand with the extents of the result. ONNX would stretch it by itself, but OpenCV 4.6 then takes the first sample's gate for
  /// all samples of a batch.
  std::string stretched(std::size_t node) {
    auto value = values_[node];
    auto const& from = in(node);
    auto const& to = in(at_);
    if (from == to || constant_[node]) return value;
    if (from.size() != 4)
      fail("the ", layer_name(), " of a matrix of shape ", list(from), " stretched to ", list(to), " has no ONNX form");
    if (from[2] != to[2] || from[3] != to[3]) value = resized(value, {to[2] / from[2], to[3] / from[3]});
    return from[0] == to[0] ? value : apply("Concat", names(to[0], value), {onnx_graph::number("axis", 1)});
  }
  /// A constant [C, H, W], which ONNX stretches over the batch. OpenCV 4.6 takes the first axis of [1, C, H, W] for the channels.
  std::string write(nn::leaf const& layer) {
    auto const held = layer.is_buffer ? network_.buffers()[layer.tensor] : network_.parameters()[layer.tensor];
    auto const& e = layer.extents;
    return graph().weights(held.name, {e[0], e[2], e[3]}, floats(held.name, *held.value));
  }
  std::string write(nn::affine_constant const& layer) {
    return scaled_and_shifted(values_[layer.input], layer.factor, layer.offset);
  }
  std::string write(nn::add const& layer) { return rectified(of_two("Add", layer), layer.rectify); }
  std::string write(nn::concat const& layer) {
    names inputs;
    for (auto const node : layer.inputs()) inputs.push_back(values_[node]);
    return apply("Concat", inputs, {onnx_graph::number("axis", 1)});
  }

  template <class Window>
  std::string write(nn::max_pool<Window> const& layer) {
    return pool("MaxPool", values_[layer.input], layer.window);
  }
  /// A margin that counts is written as a layer of its own, for OpenCV 4.6 reads `count_include_pad` as 0.
  template <class Window>
  std::string write(nn::average_pool<Window> const& layer) {
    auto window = layer.window;
    if (!window.count_include_pad || window.padding == margins(0)) return pool("AveragePool", values_[layer.input], window);
    auto const wider = pad(values_[layer.input], 0, 0, window.padding);
    window.padding = 0;
    return pool("AveragePool", wider, window);
  }
  template <class Window>
  std::string write(nn::adaptive_average_pool<Window> const& layer) {
    auto const& x = in(layer.input);
    auto const& y = in(at_);
    if (y[2] == 1 && y[3] == 1) return apply("GlobalAveragePool", {values_[layer.input]});
    auto const step = std::array{x[2] / y[2], x[3] / y[3]};
    return apply("AveragePool", {values_[layer.input]},
                 {onnx_graph::numbers("kernel_shape", step), onnx_graph::numbers("strides", step)});
  }
  std::string write(nn::global_average_pool const& layer) {
    return apply("Flatten", {apply("GlobalAveragePool", {values_[layer.input]})}, {onnx_graph::number("axis", 1)});
  }
  std::string write(nn::flatten const& layer) {
    if (in(layer.input).size() != 4) return values_[layer.input];
    return apply("Flatten", {values_[layer.input]}, {onnx_graph::number("axis", 1)});
  }

  /// Every stride-th pixel by Slice, the channels of zeros by Pad.
  std::string write(nn::subsample_pad const& layer) {
    index_range const every{.step = layer.stride};
    auto const sliced = slice(values_[layer.input], {{}, every, every}, sample(layer.input));
    return pad(sliced, layer.before, layer.channels - in(layer.input)[0] - layer.before, 0);
  }
  std::string write(nn::slice const& layer) { return slice(values_[layer.input], layer.region, sample(layer.input)); }
  std::string write(nn::pad const& layer) { return pad(values_[layer.input], layer.before, layer.after, layer.around); }

  /// Groups as an axis of their own, exchanged with the channels of a group, all extents but the batch's written down.
  std::string write(nn::channel_shuffle const& layer) {
    auto const& x = in(layer.input);
    auto const apart = reshape(values_[layer.input], {layer.groups, x[0] / layer.groups, x[2], x[3]});
    auto const turned = apply("Transpose", {apart}, {onnx_graph::numbers("perm", std::array<std::size_t, 5>{0, 2, 1, 3, 4})});
    return reshape(turned, {x[0], x[2], x[3]});
  }
  std::string write(nn::unflatten const& layer) {
    auto const& y = in(at_);
    return reshape(values_[layer.input], {y[0], y[2], y[3]});
  }
  std::string write(nn::upsample_nearest const& layer) { return resized(values_[layer.input], layer.factor); }

  Network& network_;
  std::vector<shape> shapes_;
  std::vector<nn::batch_norm const*> folded_into_;  ///< by convolution
  std::vector<char> constant_;                      ///< by node: whether leaves alone come in
  std::vector<std::string> values_;                 ///< by node
  std::size_t at_ = 0;
};

}  // namespace detail

/// A network for inputs [C, H, W] or [F], in eval mode, as the bytes of an ONNX file: opset 13, IR 8, weights as float, any batch size.
/// No operator reads shapes, so that readers which cannot infer them keep the batch apart.
template <class Network>
[[nodiscard]] std::string onnx_bytes(Network& network, shape const& input, onnx_options const& options = {}) {
  return detail::onnx_export<Network>(network, input, options).bytes();
}

/// The same as a file; an older one of that name is replaced only by a complete new one.
template <class Network>
void save_onnx(Network& network, shape const& input, std::filesystem::path const& path, onnx_options const& options = {}) {
  auto const bytes = onnx_bytes(network, input, options);
  atomic_file file(path);
  file.write(std::as_bytes(std::span(bytes)));
  file.commit();
}

}  // namespace lnpt::io
