#pragma once
/// Networks of the library's own engine as ONNX files.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <numbers>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include <lnpt/core/activation_function.hpp>
#include <lnpt/io/atomic_file.hpp>
#include <lnpt/io/onnx_graph.hpp>
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
class onnx_export {
 public:
  using array = tensor_of<Network>;

  onnx_export(Network& network, shape const& input, onnx_options const& options)
      : network_(network), shapes_(node_shapes(network, input)), folded_into_(network.nodes().size()) {
    if (options.input == options.output)
      fail("input and output of an ONNX file are both to be called ", options.input, ": give them two names");
    if (options.fold_batch_norm) find_folds();
    values_.push_back(graph_.unique(options.input));
    auto const output = graph_.unique(options.output);  // before a layer of this name takes it
    graph_.input(options.input, input);
    for (at_ = 1; at_ < network.nodes().size(); ++at_)
      values_.push_back(std::visit([&](auto const& layer) { return write(layer); }, network.nodes()[at_].rules));
    graph_.add_named("Identity", {values_.back()}, output);
    graph_.output(output, sample_of(shapes_.back()));
  }

  [[nodiscard]] std::string bytes() const { return graph_.bytes("lnpt"); }

 private:
  using graph = onnx_graph;
  using names = std::vector<std::string>;

  /// One sample [C, H, W] or [F] of an activation [C, 1, H, W] or [1, F].
  [[nodiscard]] static shape sample_of(shape const& s) { return s.size() == 4 ? shape{s[0], s[2], s[3]} : shape{s.back()}; }
  [[nodiscard]] std::string const& name() const { return network_.nodes()[at_].name; }
  [[nodiscard]] shape const& in(std::size_t node) const { return shapes_[node]; }

  [[nodiscard]] std::vector<float> floats(array const& values) const {
    auto const exact = values_of(values);
    return {exact.begin(), exact.end()};
  }
  std::string parameter(std::size_t index) {
    auto const p = network_.parameters()[index];
    return graph_.weights(p.name, shape_of(*p.value), floats(*p.value));
  }
  std::string buffer(std::size_t index) {
    auto const b = network_.buffers()[index];
    return graph_.weights(b.name, shape_of(*b.value), floats(*b.value));
  }
  std::string scalar(double value) {
    auto const as_float = static_cast<float>(value);
    return graph_.weights(name() + ".constant", {1}, std::span(&as_float, 1));
  }
  std::string apply(char const* operation, names const& inputs, std::vector<graph::attribute> const& attributes = {}) {
    return graph_.add(operation, inputs, name(), attributes);
  }
  std::string rectified(std::string value, bool rectify) { return rectify ? apply("Relu", {std::move(value)}) : value; }

  /// Batch norms that read a convolution which nothing else reads.
  void find_folds() {
    std::vector<std::size_t> readers(network_.nodes().size());
    for (auto const& node : network_.nodes())
      for (auto const i : nn::inputs_of(node.rules)) ++readers[i];
    for (std::size_t i = 1; i < network_.nodes().size(); ++i)
      if (auto const* const norm = std::get_if<nn::batch_norm>(&network_.nodes()[i].rules))
        if (readers[norm->input] == 1 &&
            std::visit([](auto const& l) { return requires { l.geometry; }; }, network_.nodes()[norm->input].rules))
          folded_into_[norm->input] = norm;
  }

  /// γ/√(σ² + ε) and β − μ times that.
  struct slope_and_offset {
    std::vector<double> slope, offset;
  };
  [[nodiscard]] slope_and_offset constants_of(nn::batch_norm const& layer) const {
    auto const scale = values_of(*network_.parameters()[layer.scale].value);
    auto const shift = values_of(*network_.parameters()[layer.shift].value);
    auto const mean = values_of(*network_.buffers()[layer.mean].value);
    auto const variance = values_of(*network_.buffers()[layer.variance].value);
    slope_and_offset result;
    for (std::size_t c = 0; c < scale.size(); ++c) {
      result.slope.push_back(static_cast<double>(scale[c]) / std::sqrt(static_cast<double>(variance[c]) + layer.epsilon));
      result.offset.push_back(static_cast<double>(shift[c]) - static_cast<double>(mean[c]) * result.slope[c]);
    }
    return result;
  }

  template <class Window>
  [[nodiscard]] static std::vector<graph::attribute> window_attributes(Window const& w) {
    auto const& v = w.vertical();
    auto const& h = w.horizontal();
    return {graph::numbers("kernel_shape", std::array{v.kernel, h.kernel}),
            graph::numbers("strides", std::array{v.stride, h.stride}),
            graph::numbers("pads", std::array{v.before, h.before, v.after, h.after})};
  }

  std::string write(nn::input const&) { fail("an input in the middle of a network has no ONNX form: begin the network with it"); }

  template <class Geometry>
  std::string write(nn::conv2d<Geometry> const& layer) {
    auto attributes = window_attributes(layer.geometry);
    attributes.push_back(
        graph::numbers("dilations", std::array{layer.geometry.vertical().dilation, layer.geometry.horizontal().dilation}));
    attributes.push_back(graph::number("group", static_cast<std::int64_t>(layer.geometry.groups)));
    names inputs{values_[layer.input]};
    if (auto const* const norm = folded_into_[at_]) {
      add_folded(layer, *norm, inputs);
    } else {
      inputs.push_back(parameter(layer.weight));
      if (layer.bias) inputs.push_back(parameter(*layer.bias));
    }
    return apply("Conv", inputs, attributes);
  }

  /// The weights times the slope, and slope · bias + offset, worked out in double.
  template <class Geometry>
  void add_folded(nn::conv2d<Geometry> const& layer, nn::batch_norm const& norm, names& inputs) {
    auto const [slope, offset] = constants_of(norm);
    auto const weight = network_.parameters()[layer.weight];
    auto const exact = values_of(*weight.value);
    std::vector<float> scaled(exact.size());
    auto const row = exact.size() / slope.size();
    for (std::size_t i = 0; i < exact.size(); ++i) scaled[i] = static_cast<float>(static_cast<double>(exact[i]) * slope[i / row]);
    std::vector<float> bias(offset.begin(), offset.end());
    if (layer.bias) {
      auto const own = values_of(*network_.parameters()[*layer.bias].value);
      for (std::size_t o = 0; o < bias.size(); ++o)
        bias[o] = static_cast<float>(static_cast<double>(own[o]) * slope[o] + offset[o]);
    }
    inputs.push_back(graph_.weights(weight.name, shape_of(*weight.value), scaled));
    inputs.push_back(graph_.weights(name() + ".bias", {bias.size()}, bias));
  }

  std::string write(nn::linear const& layer) {
    names inputs{values_[layer.input], parameter(layer.weight)};
    if (layer.bias) inputs.push_back(parameter(*layer.bias));
    return apply("Gemm", inputs, {graph::number("transB", 1)});
  }

  std::string write(nn::batch_norm const& layer) {
    if (folded_into_[layer.input] == &std::get<nn::batch_norm>(network_.nodes()[at_].rules))
      return rectified(values_[layer.input], layer.rectify);
    names const inputs{values_[layer.input], parameter(layer.scale), parameter(layer.shift), buffer(layer.mean),
                       buffer(layer.variance)};
    return rectified(apply("BatchNormalization", inputs, {graph::real("epsilon", layer.epsilon)}), layer.rectify);
  }

  std::string write(nn::relu const& layer) { return apply("Relu", {values_[layer.input]}); }

  std::string write(nn::prelu const& layer) {
    auto const p = network_.parameters()[layer.slope];
    auto const slopes = floats(*p.value);
    auto const image = in(layer.input).size() == 4 && slopes.size() > 1;
    return apply("PRelu", {values_[layer.input],
                           graph_.weights(p.name, image ? shape{slopes.size(), 1, 1} : shape{slopes.size()}, slopes)});
  }

  std::string write(nn::activation const& layer) {
    auto const& x = values_[layer.input];
    auto const& f = layer.function;
    auto const hardsigmoid = [&] { return apply("HardSigmoid", {x}, {graph::real("alpha", 1.0 / 6), graph::real("beta", 0.5)}); };
    switch (f.kind) {
      case activation_kind::hardtanh: return clipped(x, f.first, f.second);
      case activation_kind::leaky_relu: return apply("LeakyRelu", {x}, {graph::real("alpha", f.first)});
      case activation_kind::elu: return apply("Elu", {x}, {graph::real("alpha", f.first)});
      case activation_kind::silu: return apply("Mul", {x, apply("Sigmoid", {x})});
      case activation_kind::sigmoid: return apply("Sigmoid", {x});
      case activation_kind::hardsigmoid: return hardsigmoid();
      case activation_kind::hardswish: return apply("Mul", {x, hardsigmoid()});
      case activation_kind::gelu: return half_gated(x, apply("Erf", {apply("Mul", {x, scalar(1 / std::numbers::sqrt2)})}));
      case activation_kind::gelu_by_tanh: {
        auto const cube = apply("Mul", {apply("Mul", {x, x}), apply("Mul", {x, scalar(0.044715)})});
        auto const scale = scalar(std::numbers::sqrt2 * std::numbers::inv_sqrtpi);
        return half_gated(x, apply("Tanh", {apply("Mul", {apply("Add", {x, cube}), scale})}));
      }
      case activation_kind::tanh: return apply("Tanh", {x});
      case activation_kind::reciprocal: return apply("Reciprocal", {x});
    }
    fail("the activation of ", name(), " has no ONNX form");
  }
  /// ½ x (1 + gate)
  std::string half_gated(std::string const& x, std::string const& gate) {
    return apply("Mul", {apply("Mul", {x, scalar(0.5)}), apply("Add", {gate, scalar(1)})});
  }
  /// low + (high − low) · HardSigmoid, for OpenCV 4.6 reads no Clip whose bounds are inputs, as they are from opset 11 on.
  std::string clipped(std::string const& x, double low, double high) {
    auto const width = high - low;
    if (!std::isfinite(width)) return apply("Clip", {x, bound(low), bound(high)});
    auto const unit = apply("HardSigmoid", {x}, {graph::real("alpha", 1 / width), graph::real("beta", -low / width)});
    return scaled_and_shifted(unit, width, low);
  }
  /// A bound of Clip, which takes numbers without axes.
  std::string bound(double value) {
    auto const as_float = static_cast<float>(value);
    return graph_.weights(name() + ".bound", {}, std::span(&as_float, 1));
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
    if (from == to) return value;
    if (from.size() != 4)
      fail("the ", name(), " of a matrix of shape ", list(from), " stretched to ", list(to), " has no ONNX form");
    if (from[2] != to[2] || from[3] != to[3]) value = resized(value, {to[2] / from[2], to[3] / from[3]});
    return from[0] == to[0] ? value : apply("Concat", names(to[0], value), {graph::number("axis", 1)});
  }
  std::string write(nn::affine_constant const& layer) {
    return scaled_and_shifted(values_[layer.input], layer.factor, layer.offset);
  }
  std::string scaled_and_shifted(std::string value, double factor, double offset) {
    if (factor != 1) value = apply("Mul", {value, scalar(factor)});
    return offset != 0 ? apply("Add", {value, scalar(offset)}) : value;
  }
  std::string write(nn::add const& layer) { return rectified(of_two("Add", layer), layer.rectify); }
  std::string write(nn::concat const& layer) {
    names inputs;
    for (auto const node : layer.inputs()) inputs.push_back(values_[node]);
    return apply("Concat", inputs, {graph::number("axis", 1)});
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
  std::string pool(char const* operation, std::string const& from, Window const& window) {
    auto attributes = window_attributes(window);
    if (window.ceil_mode) attributes.push_back(graph::number("ceil_mode", 1));
    return apply(operation, {from}, attributes);
  }
  template <class Window>
  std::string write(nn::adaptive_average_pool<Window> const& layer) {
    auto const& x = in(layer.input);
    auto const& y = in(at_);
    if (y[2] == 1 && y[3] == 1) return apply("GlobalAveragePool", {values_[layer.input]});
    auto const step = std::array{x[2] / y[2], x[3] / y[3]};
    return apply("AveragePool", {values_[layer.input]}, {graph::numbers("kernel_shape", step), graph::numbers("strides", step)});
  }
  std::string write(nn::global_average_pool const& layer) {
    return apply("Flatten", {apply("GlobalAveragePool", {values_[layer.input]})}, {graph::number("axis", 1)});
  }
  std::string write(nn::flatten const& layer) {
    if (in(layer.input).size() != 4) return values_[layer.input];
    return apply("Flatten", {values_[layer.input]}, {graph::number("axis", 1)});
  }

  /// Every stride-th pixel by Slice, the channels of zeros by Pad.
  std::string write(nn::subsample_pad const& layer) {
    index_range const every{.step = layer.stride};
    auto const sliced = slice(values_[layer.input], {{}, every, every}, 4);
    return pad(sliced, layer.before, layer.channels - in(layer.input)[0] - layer.before, 0);
  }
  std::string write(nn::slice const& layer) { return slice(values_[layer.input], layer.region, in(layer.input).size()); }
  std::string write(nn::pad const& layer) { return pad(values_[layer.input], layer.before, layer.after, layer.around); }

  std::string slice(std::string const& from, image_region const& region, std::size_t rank) {
    std::vector<std::int64_t> starts;
    std::vector<std::int64_t> stops;
    std::vector<std::int64_t> axes;
    std::vector<std::int64_t> steps;
    for (std::int64_t axis = 1; auto const& range : {region.channels, region.rows, region.columns}) {
      if (range != index_range{} && static_cast<std::size_t>(axis) < rank) {
        constexpr std::size_t end = std::numeric_limits<std::int32_t>::max();
        starts.push_back(static_cast<std::int64_t>(range.start));
        stops.push_back(static_cast<std::int64_t>(std::min(range.stop, end)));
        axes.push_back(axis);
        steps.push_back(static_cast<std::int64_t>(range.step));
      }
      ++axis;
    }
    if (axes.empty()) return from;
    return apply("Slice", {from, graph_.indices(name() + ".starts", starts), graph_.indices(name() + ".ends", stops),
                           graph_.indices(name() + ".axes", axes), graph_.indices(name() + ".steps", steps)});
  }
  std::string pad(std::string const& from, std::size_t before, std::size_t after, margins const& around) {
    std::array<std::int64_t, 8> pads{};
    std::ranges::transform(
        std::array{std::size_t{0}, before, around.top, around.left, std::size_t{0}, after, around.bottom, around.right},
        pads.begin(), [](std::size_t n) { return static_cast<std::int64_t>(n); });
    return apply("Pad", {from, graph_.indices(name() + ".pads", pads)});
  }

  /// Groups as an axis of their own, exchanged with the channels of a group, all extents but the batch's written down.
  std::string write(nn::channel_shuffle const& layer) {
    auto const& x = in(layer.input);
    auto const apart = reshape(values_[layer.input], {layer.groups, x[0] / layer.groups, x[2], x[3]});
    auto const turned = apply("Transpose", {apart}, {graph::numbers("perm", std::array<std::size_t, 5>{0, 2, 1, 3, 4})});
    return reshape(turned, {x[0], x[2], x[3]});
  }
  std::string write(nn::unflatten const& layer) {
    auto const& y = in(at_);
    return reshape(values_[layer.input], {y[0], y[2], y[3]});
  }
  std::string reshape(std::string const& from, shape const& sample) {
    std::vector<std::int64_t> extents{0};  // the batch, as it is
    for (auto const extent : sample) extents.push_back(static_cast<std::int64_t>(extent));
    return apply("Reshape", {from, graph_.indices(name() + ".shape", extents)});
  }

  std::string write(nn::upsample_nearest const& layer) { return resized(values_[layer.input], layer.factor); }
  std::string resized(std::string const& from, per_axis const& factor) {
    std::array<float, 4> const scales{1, 1, static_cast<float>(factor.h), static_cast<float>(factor.w)};
    return apply("Resize", {from, "", graph_.weights(name() + ".scales", {4}, scales)},
                 {graph::text("mode", "nearest"), graph::text("coordinate_transformation_mode", "asymmetric"),
                  graph::text("nearest_mode", "floor")});
  }

  Network& network_;
  std::vector<shape> shapes_;
  std::vector<nn::batch_norm const*> folded_into_;  ///< by convolution
  graph graph_;
  std::vector<std::string> values_;  ///< by node
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
