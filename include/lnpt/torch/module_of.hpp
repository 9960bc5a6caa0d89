#pragma once
/// A network of the library's own engine as a module of LibTorch.
#include <torch/nn/module.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <lnpt/nn/layer_links.hpp>
#include <lnpt/nn/network.hpp>
#include <lnpt/torch/module/placed.hpp>
#include <lnpt/torch/tensor.hpp>

namespace lnpt {

/// The same graph of layers, the same parameters under the same names in the same order: each architecture is written once.
///
/// On the CPU the module's tensors are the network's own memory, elsewhere copies of it until `write_back`. The network must outlive
/// the module and stay where it is.
class graph_module : public torch::nn::Module {
 public:
  template <class Backend>
  graph_module(network<Backend>& network, at::Device device) : features_(network.features_node()) {
    add_steps(network);
    forget_after_last_use(network);
    auto const parameters = named_parameters(), buffers = named_buffers();
    auto const held = network.parameters();
    for (auto const& p : held)
      if (!parameters.contains(p.name)) detail::refuse_as_module(p.name);
    for (auto const& each : parameters)
      if (std::ranges::find(held, each.key(), &decltype(held)::value_type::name) == held.end())
        detail::refuse_as_module(each.key());
    for (auto const& p : held) hold(p, parameters[p.name], device);
    for (auto const& b : network.buffers()) {
      if (!buffers.contains(b.name)) detail::refuse_as_module(b.name);
      hold(b, buffers[b.name], device);
    }
  }

  /// Logits and features.
  [[nodiscard]] std::pair<at::Tensor, at::Tensor> forward(at::Tensor const& x) const {
    outputs at(steps_.size());
    at[0] = x.dim() == 3 ? x.unsqueeze(2) : x;  // a sequence is an image of one row
    for (std::size_t i = 1; i < steps_.size(); ++i) {
      at[i] = steps_[i].run(at);
      for (auto const done : steps_[i].done_with) at[done].reset();
    }
    return {at.back(), at[features_]};
  }

  /// Copies parameters and running statistics from another device to the network.
  void write_back() const {
    at::NoGradGuard const plain;
    for (auto const& [memory, tensor] : held_)
      if (!tensor.is_cpu()) memory.copy_(tensor);
  }

 private:
  using outputs = std::vector<at::Tensor>;
  /// One node: what it computes from the nodes before it, and which of them nobody reads any more.
  struct step {
    std::function<at::Tensor(outputs const&)> run;
    std::vector<std::size_t> done_with = {};
  };
  struct step_maker;
  template <class Backend>
  void add_steps(network<Backend>& network);
  template <class Backend>
  void forget_after_last_use(network<Backend> const& network);

  template <class Array>
  void hold(parameter<Array> const& of, at::Tensor const& own, at::Device device) {
    auto const type = c10::CppTypeToScalarType<value_type<Array>>::value;
    auto const values = tensor_traits<Array>::view(*of.value);
    auto const memory = at::from_blob(values.data(), own.sizes(), type);
    own.set_data(memory.to(device));
    held_.emplace_back(memory, own);
  }

  /// Names and extents of a network's parameters or buffers.
  struct described {
    std::string name;
    shape extents;
  };

  std::vector<step> steps_;
  detail::leaf_tensors leaves_;
  std::size_t features_;
  std::vector<std::pair<at::Tensor, at::Tensor>> held_;  ///< the network's memory, and the module's tensor
};

/// Makes the step of each kind of layer; what has parameters is a module of LibTorch in its place of the tree.
struct graph_module::step_maker {
  graph_module& root;
  std::string const& name;
  std::vector<described> const& parameters;
  std::vector<described> const& buffers;

  [[nodiscard]] static std::int64_t extent(std::size_t e) { return static_cast<std::int64_t>(e); }
  [[nodiscard]] static torch::ExpandingArray<2> both(lnpt::per_axis const& p) { return {extent(p.h), extent(p.w)}; }

  step operator()(nn::input const&) const { return {}; }

  template <class Geometry>
  step operator()(nn::conv2d<Geometry> const& layer) const {
    auto const& weight = parameters[layer.weight].extents;
    auto const& g = layer.geometry;
    auto options = torch::nn::Conv2dOptions(extent(weight[1] * g.groups), extent(weight[0]), both(g.kernel))
                       .stride(both(g.stride))
                       .dilation(both(g.dilation))
                       .groups(extent(g.groups))
                       .bias(layer.bias.has_value());
    if (g.padding.symmetric()) {
      options.padding(torch::ExpandingArray<2>{extent(g.padding.top), extent(g.padding.left)});
      return of_module(std::make_shared<torch::nn::Conv2dImpl>(options), layer.input);
    }
    auto const convolution = std::make_shared<torch::nn::Conv2dImpl>(options);
    detail::place(root, name, convolution);
    std::vector<std::int64_t> const around{extent(g.padding.left), extent(g.padding.right), extent(g.padding.top),
                                           extent(g.padding.bottom)};
    return {[=, from = layer.input](outputs const& at) { return convolution->forward(at::constant_pad_nd(at[from], around)); }};
  }

  step operator()(nn::linear const& layer) const {
    auto const& weight = parameters[layer.weight].extents;
    auto const options = torch::nn::LinearOptions(extent(weight[1]), extent(weight[0])).bias(layer.bias.has_value());
    return of_module(std::make_shared<torch::nn::LinearImpl>(options), layer.input);
  }

  step operator()(nn::batch_norm const& layer) const {
    auto const affine = layer.scale.has_value();
    if (affine != layer.shift.has_value()) fail("LibTorch's batch norm has scale and shift or none; ", name, " has one of them");
    auto const options = torch::nn::BatchNormOptions(extent(buffers[layer.mean].extents[0]))
                             .eps(layer.epsilon)
                             .momentum(layer.momentum)
                             .affine(affine);
    auto const normalised = of_module(std::make_shared<torch::nn::BatchNorm2dImpl>(options), layer.input);
    if (!layer.rectify) return normalised;
    return {[normalised](outputs const& at) { return normalised.run(at).relu_(); }};
  }

  step operator()(nn::relu const& layer) const {
    return {[from = layer.input](outputs const& at) { return at::relu(at[from]); }};
  }

  step operator()(nn::activation const& layer) const {
    return {[from = layer.input, f = layer.function](outputs const& at) { return activated(at[from], f); }};
  }

  step operator()(nn::prelu const& layer) const {
    auto const options = torch::nn::PReLUOptions().num_parameters(extent(parameters[layer.slope].extents[0]));
    return of_module(std::make_shared<torch::nn::PReLUImpl>(options), layer.input);
  }

  template <class Window>
  step operator()(nn::max_pool<Window> const& layer) const {
    return {[w = layer.window, from = layer.input](outputs const& at) {
      return at::max_pool2d(at[from], pair(w.kernel), pair(w.stride), symmetric(w.padding), 1, w.ceil_mode);
    }};
  }

  template <class Window>
  step operator()(nn::average_pool<Window> const& layer) const {
    return {[w = layer.window, from = layer.input](outputs const& at) {
      return at::avg_pool2d(at[from], pair(w.kernel), pair(w.stride), symmetric(w.padding), w.ceil_mode, w.count_include_pad);
    }};
  }

  template <class Window>
  step operator()(nn::adaptive_average_pool<Window> const& layer) const {
    return {[layer](outputs const& at) { return at::adaptive_avg_pool2d(at[layer.input], pair(layer.size)); }};
  }

  step operator()(nn::global_average_pool const& layer) const {
    return {[from = layer.input](outputs const& at) { return at[from].mean({2, 3}); }};
  }

  step operator()(nn::flatten const& layer) const {
    return {[from = layer.input](outputs const& at) { return at[from].flatten(1); }};
  }

  step operator()(nn::add const& layer) const {
    return {[layer](outputs const& at) {
      auto sum = at[layer.first] + at[layer.second];
      return layer.rectify ? sum.relu_() : sum;
    }};
  }

  step operator()(nn::multiply const& layer) const {
    return {[layer](outputs const& at) { return at[layer.first] * at[layer.second]; }};
  }
  step operator()(nn::subtract const& layer) const {
    return {[layer](outputs const& at) { return at[layer.first] - at[layer.second]; }};
  }
  step operator()(nn::divide const& layer) const {
    return {[layer](outputs const& at) { return at[layer.first] / at[layer.second]; }};
  }
  step operator()(nn::leaf const& layer) const {
    auto const& e = layer.extents;
    auto const value = root.leaves_.of((layer.is_buffer ? buffers : parameters)[layer.tensor].name, e, layer.is_buffer);
    return {[value, e](outputs const&) { return value.view({1, extent(e[0]), extent(e[2]), extent(e[3])}); }};
  }
  step operator()(nn::affine_constant const& layer) const {
    return {[layer](outputs const& at) { return at[layer.input] * layer.factor + layer.offset; }};
  }

  step operator()(nn::concat const& layer) const {
    return {[layer](outputs const& at) {
      std::vector<at::Tensor> parts;
      for (auto const i : layer.images) parts.push_back(at[i]);
      return at::cat(parts, 1);
    }};
  }

  step operator()(nn::slice const& layer) const {
    return {[layer](outputs const& at) {
      auto const part = [](at::Tensor const& x, std::int64_t axis, index_range const& range) {
        auto const stop = std::min(range.stop, static_cast<std::size_t>(x.size(axis)));
        return x.slice(axis, extent(range.start), extent(stop), extent(range.step));
      };
      auto const channels = part(at[layer.input], 1, layer.region.channels);
      return channels.dim() != 4 ? channels : part(part(channels, 2, layer.region.rows), 3, layer.region.columns);
    }};
  }
  step operator()(nn::pad const& layer) const {
    auto const& m = layer.around;
    std::vector<std::int64_t> const around{extent(m.left),   extent(m.right),      extent(m.top),
                                           extent(m.bottom), extent(layer.before), extent(layer.after)};
    return {[around, from = layer.input](outputs const& at) { return at::constant_pad_nd(at[from], around); }};
  }
  step operator()(nn::channel_shuffle const& layer) const {
    // By views, as networks have it: LibTorch 1.13 has no derivative of at::channel_shuffle.
    return {[layer](outputs const& at) {
      auto const& x = at[layer.input];
      auto const rows = x.reshape({x.size(0), extent(layer.groups), -1, x.size(2), x.size(3)});
      return rows.transpose(1, 2).reshape(x.sizes());
    }};
  }
  step operator()(nn::upsample_nearest const& layer) const {
    return {[layer](outputs const& at) {
      auto const& x = at[layer.input];
      return at::upsample_nearest2d(x, {x.size(2) * extent(layer.factor.h), x.size(3) * extent(layer.factor.w)});
    }};
  }
  step operator()(nn::unflatten const& layer) const {
    return {[layer](outputs const& at) {
      auto const& x = at[layer.input];
      return x.reshape({x.size(0), -1, extent(layer.size.h), extent(layer.size.w)});
    }};
  }

  step operator()(nn::subsample_pad const& layer) const {
    return {[layer](outputs const& at) {
      auto const& x = at[layer.input];
      auto const stride = extent(layer.stride);
      auto const before = extent(layer.before);
      auto const kept = x.slice(2, 0, x.size(2), stride).slice(3, 0, x.size(3), stride);
      return at::constant_pad_nd(kept, {0, 0, 0, 0, before, extent(layer.channels) - before - x.size(1)});
    }};
  }

 private:
  /// f(x), by operators that LibTorch differentiates twice: 2.15 has no second derivative of hardsigmoid.
  [[nodiscard]] static at::Tensor activated(at::Tensor const& x, activation_function const& f) {
    switch (f.kind) {
      case activation_kind::hardtanh: return at::hardtanh(x, f.first, f.second);
      case activation_kind::leaky_relu: return at::leaky_relu(x, f.first);
      case activation_kind::elu: return at::elu(x, f.first);
      case activation_kind::silu: return at::silu(x);
      case activation_kind::sigmoid: return at::sigmoid(x);
      case activation_kind::hardswish: return x * at::hardtanh(x + 3, 0, 6) / 6;
      case activation_kind::hardsigmoid: return at::hardtanh(x + 3, 0, 6) / 6;
      case activation_kind::gelu: return at::gelu(x);
      case activation_kind::gelu_by_tanh: return at::gelu(x, "tanh");
      case activation_kind::tanh: return at::tanh(x);
      case activation_kind::reciprocal: return at::reciprocal(x);
    }
    fail("an activation function of no known kind");
  }

  template <class Leaf>
  step of_module(std::shared_ptr<Leaf> const& leaf, std::size_t from) const {
    detail::place(root, name, leaf);
    return {[leaf, from](outputs const& at) { return leaf->forward(at[from]); }};
  }

  [[nodiscard]] static std::array<std::int64_t, 2> pair(per_axis const& p) { return {extent(p.h), extent(p.w)}; }
  [[nodiscard]] static std::array<std::int64_t, 2> symmetric(margins const& m) {
    if (!m.symmetric()) fail("LibTorch pools with equal margins on opposite sides; pad the image first");
    return pair({m.top, m.left});
  }
};

template <class Backend>
void graph_module::add_steps(network<Backend>& network) {
  auto const describe = [](auto const& views) {
    std::vector<described> all;
    for (auto const& each : views) all.push_back({each.name, shape_of(*each.value)});
    return all;
  };
  auto const parameters = describe(network.parameters());
  auto const buffers = describe(network.buffers());
  for (auto const& node : network.nodes())
    steps_.push_back(std::visit(step_maker{*this, node.name, parameters, buffers}, node.rules));
  leaves_.place(*this);
}

template <class Backend>
void graph_module::forget_after_last_use(network<Backend> const& network) {
  std::vector<std::size_t> last(steps_.size(), 0);
  for (std::size_t i = 0; i < steps_.size(); ++i)
    for (auto const read : nn::inputs_of(network.nodes()[i].rules)) last[read] = i;
  for (std::size_t i = 0; i < steps_.size(); ++i)
    if (last[i] != 0 && i != features_) steps_[last[i]].done_with.push_back(i);
}

}  // namespace lnpt
