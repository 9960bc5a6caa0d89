#pragma once
/// Operators of ONNX, and what is made of several, for the layer that is being written.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numbers>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <lnpt/core/activation_function.hpp>
#include <lnpt/core/error.hpp>
#include <lnpt/core/shape.hpp>
#include <lnpt/core/window.hpp>
#include <lnpt/io/onnx_graph.hpp>

namespace lnpt::io::detail {

/// Adds operators to a graph under a layer's name; each call returns the name of the result.
class onnx_operators {
 public:
  /// Whose name operators and constants get from now on.
  void enter(std::string layer) { layer_ = std::move(layer); }
  [[nodiscard]] std::string const& layer_name() const { return layer_; }
  [[nodiscard]] onnx_graph& graph() { return graph_; }
  [[nodiscard]] onnx_graph const& graph() const { return graph_; }

  std::string apply(char const* operation, std::vector<std::string> const& inputs,
                    std::vector<onnx_graph::attribute> const& attributes = {}) {
    return graph_.add(operation, inputs, layer_, attributes);
  }
  std::string rectified(std::string value, bool rectify) { return rectify ? apply("Relu", {std::move(value)}) : value; }

  std::string scalar(double value) {
    auto const as_float = static_cast<float>(value);
    return graph_.weights(layer_ + ".constant", {1}, std::span(&as_float, 1));
  }
  std::string scaled_and_shifted(std::string value, double factor, double offset) {
    if (factor != 1) value = apply("Mul", {value, scalar(factor)});
    return offset != 0 ? apply("Add", {value, scalar(offset)}) : value;
  }

  std::string activation(std::string const& x, activation_function const& f) {
    auto const hardsigmoid = [&] {
      return apply("HardSigmoid", {x}, {onnx_graph::real("alpha", 1.0 / 6), onnx_graph::real("beta", 0.5)});
    };
    switch (f.kind) {
      case activation_kind::hardtanh: return clipped(x, f.first, f.second);
      case activation_kind::leaky_relu: return apply("LeakyRelu", {x}, {onnx_graph::real("alpha", f.first)});
      case activation_kind::elu: return apply("Elu", {x}, {onnx_graph::real("alpha", f.first)});
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
    fail("the activation of ", layer_, " has no ONNX form");
  }

  template <class Window>
  [[nodiscard]] static std::vector<onnx_graph::attribute> window_attributes(Window const& w) {
    auto const& v = w.vertical();
    auto const& h = w.horizontal();
    return {onnx_graph::numbers("kernel_shape", std::array{v.kernel, h.kernel}),
            onnx_graph::numbers("strides", std::array{v.stride, h.stride}),
            onnx_graph::numbers("pads", std::array{v.before, h.before, v.after, h.after})};
  }

  template <class Window>
  std::string pool(char const* operation, std::string const& from, Window const& window) {
    auto attributes = window_attributes(window);
    if (window.ceil_mode) attributes.push_back(onnx_graph::number("ceil_mode", 1));
    return apply(operation, {from}, attributes);
  }

  /// One Slice for each run of neighbouring axes of which not everything is taken: OpenCV 4.6 refuses axes with a gap between them.
  std::string slice(std::string from, image_region const& region, shape const& sample) {
    std::array const ranges{region.channels, region.rows, region.columns};
    auto const axes = std::min(ranges.size(), sample.size());
    auto const takes_part = [&](std::size_t i) { return ranges[i].step != 1 || ranges[i].count(sample[i]) != sample[i]; };
    for (std::size_t first = 0; first < axes; ++first) {
      auto last = first;
      while (last < axes && takes_part(last)) ++last;
      if (last == first) continue;
      from = slice_axes(from, std::span(ranges).subspan(first, last - first), static_cast<std::int64_t>(first + 1));
      first = last;
    }
    return from;
  }
  std::string pad(std::string const& from, std::size_t before, std::size_t after, margins const& around) {
    std::array<std::int64_t, 8> pads{};
    std::ranges::transform(
        std::array{std::size_t{0}, before, around.top, around.left, std::size_t{0}, after, around.bottom, around.right},
        pads.begin(), [](std::size_t n) { return static_cast<std::int64_t>(n); });
    if (pads == std::array<std::int64_t, 8>{}) return from;
    return apply("Pad", {from, graph_.indices(layer_ + ".pads", pads)});
  }

  std::string reshape(std::string const& from, shape const& sample) {
    std::vector<std::int64_t> extents{0};  // the batch, as it is
    for (auto const extent : sample) extents.push_back(static_cast<std::int64_t>(extent));
    return apply("Reshape", {from, graph_.indices(layer_ + ".shape", extents)});
  }

  std::string resized(std::string const& from, per_axis const& factor) {
    std::array<float, 4> const scales{1, 1, static_cast<float>(factor.h), static_cast<float>(factor.w)};
    return apply("Resize", {from, "", graph_.weights(layer_ + ".scales", {4}, scales)},
                 {onnx_graph::text("mode", "nearest"), onnx_graph::text("coordinate_transformation_mode", "asymmetric"),
                  onnx_graph::text("nearest_mode", "floor")});
  }

 private:
  std::string slice_axes(std::string const& from, std::span<index_range const> ranges, std::int64_t axis) {
    std::vector<std::int64_t> starts;
    std::vector<std::int64_t> stops;
    std::vector<std::int64_t> axes;
    std::vector<std::int64_t> steps;
    for (auto const& range : ranges) {
      constexpr std::size_t end = std::numeric_limits<std::int32_t>::max();
      starts.push_back(static_cast<std::int64_t>(range.start));
      stops.push_back(static_cast<std::int64_t>(std::min(range.stop, end)));
      axes.push_back(axis++);
      steps.push_back(static_cast<std::int64_t>(range.step));
    }
    return apply("Slice", {from, graph_.indices(layer_ + ".starts", starts), graph_.indices(layer_ + ".ends", stops),
                           graph_.indices(layer_ + ".axes", axes), graph_.indices(layer_ + ".steps", steps)});
  }
  /// ½ x (1 + gate)
  std::string half_gated(std::string const& x, std::string const& gate) {
    return apply("Mul", {apply("Mul", {x, scalar(0.5)}), apply("Add", {gate, scalar(1)})});
  }
  /// low + (high − low) · HardSigmoid, for OpenCV 4.6 reads no Clip whose bounds are inputs, as they are from opset 11 on.
  std::string clipped(std::string const& x, double low, double high) {
    auto const width = high - low;
    if (!std::isfinite(width)) return apply("Clip", {x, bound(low), bound(high)});
    auto const unit = apply("HardSigmoid", {x}, {onnx_graph::real("alpha", 1 / width), onnx_graph::real("beta", -low / width)});
    return scaled_and_shifted(unit, width, low);
  }
  /// A bound of Clip, which takes numbers without axes.
  std::string bound(double value) {
    auto const as_float = static_cast<float>(value);
    return graph_.weights(layer_ + ".bound", {}, std::span(&as_float, 1));
  }

  onnx_graph graph_;
  std::string layer_;
};

}  // namespace lnpt::io::detail
