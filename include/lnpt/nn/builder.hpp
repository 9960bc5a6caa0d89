#pragma once
/// Builds networks: names as PyTorch's, widths tracked, weights initialised.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <lnpt/core/window.hpp>
#include <lnpt/nn/initial_values.hpp>
#include <lnpt/nn/network.hpp>

namespace lnpt {

/// What a convolution may say beside its width.
struct conv_options {
  per_axis kernel = 3;
  per_axis stride = 1;
  margins padding = 1;
  per_axis dilation = 1;
  std::size_t groups = 1;
  bool bias = false;
};

/// Adds layers to a network one after the other; each call returns the node, to be given to the layers that read it.
///
/// Weights are Kaiming-normal over the fan-in, N(0, 2 / fan_in) (He et al., ICCV 2015, arXiv:1502.01852), a pure function of the seed;
/// biases 0, batch norm γ = 1, β = 0, running mean 0 and variance 1.
template <class Backend>
class network_builder {
 public:
  using array = typename Backend::array;
  using node = std::size_t;

  /// `context`: where the network and its arrays are made.
  explicit network_builder(std::size_t input_width, std::uint64_t seed = 0, typename Backend::context context = {})
      : network_(context), context_(std::move(context)), seed_(seed), widths_{input_width} {}

  [[nodiscard]] node input() const { return 0; }
  [[nodiscard]] std::size_t width(node n) const { return widths_[n]; }

  node conv2d(std::string const& name, node from, std::size_t outputs, conv_options const& o = {}) {
    auto const inputs = widths_[from] / o.groups;
    auto const weight = add_weight(name, {outputs, inputs, o.kernel.h, o.kernel.w}, lnpt::role::weight);
    auto const bias = o.bias ? std::optional(add_constant(name + ".bias", lnpt::role::bias, outputs, 0)) : std::nullopt;
    typename Backend::conv_geometry const geometry{o.kernel, o.stride, o.padding, o.dilation, o.groups};
    return add(name, nn::conv2d<typename Backend::conv_geometry>{from, weight, bias, geometry}, outputs);
  }

  /// `inputs`: the width after flattening where the node before is an image.
  node linear(std::string const& name, node from, std::size_t outputs, std::optional<std::size_t> inputs = std::nullopt) {
    return add_linear(name, from, outputs, inputs.value_or(widths_[from]), lnpt::role::weight);
  }

  /// The last linear layer; what it reads is the penultimate feature map.
  node classifier(std::string const& name, node from, std::size_t classes, std::optional<std::size_t> inputs = std::nullopt) {
    network_.set_features(from);
    return add_linear(name, from, classes, inputs.value_or(widths_[from]), lnpt::role::classifier_weight);
  }

  node batch_norm(std::string const& name, node from, bool rectify = false, bool affine = true) {
    auto const width = widths_[from];
    nn::batch_norm layer{
        .input = from, .scale = {}, .shift = {}, .mean = 0, .variance = 0, .index = norms_++, .rectify = rectify};
    if (affine) {
      layer.scale = add_constant(name + ".weight", lnpt::role::norm_scale, width, 1);
      layer.shift = add_constant(name + ".bias", lnpt::role::norm_shift, width, 0);
    }
    layer.mean = network_.add_buffer(name + ".running_mean", lnpt::role::running_mean, Backend::constant({width}, 0, context_));
    layer.variance =
        network_.add_buffer(name + ".running_var", lnpt::role::running_variance, Backend::constant({width}, 1, context_));
    return add(name, layer, width);
  }

  node relu(node from) { return add("relu", nn::relu{from}, widths_[from]); }
  node activation(node from, activation_function const& f) { return add("activation", nn::activation{from, f}, widths_[from]); }
  /// A rectifier with learnt slopes, one per channel or one for all, that begin at ¼ as PyTorch's.
  node prelu(std::string const& name, node from, bool per_channel = false) {
    auto const slope = add_constant(name + ".weight", lnpt::role::bias, per_channel ? widths_[from] : 1, 0.25);
    return add(name, nn::prelu{from, slope}, widths_[from]);
  }
  node max_pool(node from, per_axis kernel, per_axis stride, margins padding = 0, bool ceil_mode = false) {
    return add("max_pool", nn::max_pool<pool_window>{from, {kernel, stride, padding, ceil_mode}}, widths_[from]);
  }
  node average_pool(node from, per_axis kernel, per_axis stride, margins padding = 0, bool ceil_mode = false,
                    bool count_include_pad = true) {
    return add("average_pool", nn::average_pool<pool_window>{from, {kernel, stride, padding, ceil_mode, count_include_pad}},
               widths_[from]);
  }
  /// Means in windows without overlap, so that an image of this size is left.
  node adaptive_average_pool(node from, per_axis size) {
    return add("adaptive_average_pool", nn::adaptive_average_pool<pool_window>{from, size}, widths_[from]);
  }
  node global_average_pool(node from) { return add("global_average_pool", nn::global_average_pool{from}, widths_[from]); }
  node flatten(node from) { return add("flatten", nn::flatten{from}, widths_[from]); }
  node join(node first, node second, bool rectify = false) {
    return add("add", nn::add{first, second, rectify}, wider(first, second));
  }
  /// Products, differences and quotients; an extent of 1 stretches to the other node's.
  node multiply(node first, node second) { return add("multiply", nn::multiply{first, second}, wider(first, second)); }
  node subtract(node first, node second) { return add("subtract", nn::subtract{first, second}, wider(first, second)); }
  node divide(node first, node second) { return add("divide", nn::divide{first, second}, wider(first, second)); }
  /// factor · x + offset
  node affine_constant(node from, double factor, double offset) {
    return add("affine_constant", nn::affine_constant{from, factor, offset}, widths_[from]);
  }
  /// A parameter [C, 1, H, W] of this name, or a constant buffer, to be joined with images.
  node leaf(std::string const& name, shape const& extents, double value, bool is_buffer = false) {
    auto held = Backend::constant(extents, value, context_);
    if (!is_buffer) ++parameters_;
    auto const tensor = is_buffer ? network_.add_buffer(name, lnpt::role::constant, std::move(held))
                                  : network_.add_parameter(name, lnpt::role::leaf, std::move(held));
    return add(name, nn::leaf{tensor, is_buffer, extents}, extents[0]);
  }
  node concat(std::vector<node> const& from) {
    std::size_t width = 0;
    for (auto const n : from) width += widths_[n];
    return add("concat", nn::concat{from}, width);
  }
  /// Channels, rows and columns by ranges, and their converse with zeros around.
  node slice(node from, image_region const& region) {
    return add("slice", nn::slice{from, region}, region.channels.count(widths_[from]));
  }
  node pad(node from, margins around, std::size_t before = 0, std::size_t after = 0) {
    return add("pad", nn::pad{from, before, after, around}, before + widths_[from] + after);
  }
  node channel_shuffle(node from, std::size_t groups) {
    return add("channel_shuffle", nn::channel_shuffle{from, groups}, widths_[from]);
  }
  node upsample_nearest(node from, per_axis factor) {
    return add("upsample_nearest", nn::upsample_nearest{from, factor}, widths_[from]);
  }
  node unflatten(node from, per_axis size = 1) {
    return add("unflatten", nn::unflatten{from, size}, widths_[from] / (size.h * size.w));
  }
  /// Zero channels appended evenly before and after.
  node subsample_pad(node from, std::size_t stride, std::size_t channels) {
    if (channels < widths_[from])
      fail("a shortcut cannot go from ", widths_[from], " to ", channels, " channels: it only appends zeros");
    return add("shortcut", nn::subsample_pad{from, stride, channels, (channels - widths_[from]) / 2}, channels);
  }

  /// A layer of any kind, with the width of its output.
  node add(std::string name, typename network<Backend>::layer layer, std::size_t width) {
    widths_.push_back(width);
    return network_.add_node(std::move(name), std::move(layer));
  }

  /// The network; its output is the node added last.
  [[nodiscard]] network<Backend> build() && { return std::move(network_); }

 private:
  using pool_window = typename Backend::pool_window;

  [[nodiscard]] std::size_t wider(node first, node second) const { return std::max(widths_[first], widths_[second]); }
  node add_linear(std::string const& name, node from, std::size_t outputs, std::size_t inputs, lnpt::role role) {
    auto const weight = add_weight(name, {outputs, inputs}, role);
    return add(name, nn::linear{from, weight, add_constant(name + ".bias", lnpt::role::bias, outputs, 0)}, outputs);
  }
  std::size_t add_constant(std::string name, lnpt::role role, std::size_t width, double value) {
    ++parameters_;
    return network_.add_parameter(std::move(name), role, Backend::constant({width}, value, context_));
  }
  std::size_t add_weight(std::string const& name, shape const& extents, lnpt::role role) {
    return network_.add_parameter(name + ".weight", role, nn::kaiming_normal<Backend>(extents, seed_, parameters_++, context_));
  }

  network<Backend> network_;
  typename Backend::context context_;
  std::uint64_t seed_;
  std::uint64_t parameters_ = 0;
  std::size_t norms_ = 0;
  std::vector<std::size_t> widths_;
};

}  // namespace lnpt
