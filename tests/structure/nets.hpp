#pragma once
/// Small networks whose normalisation says something, and masks that are not whole channels alone.
#include <cstdint>
#include <string>
#include <vector>

#include <lnpt/backend/cpu/backend.hpp>
#include <lnpt/core/random.hpp>
#include <lnpt/nn/builder.hpp>
#include <lnpt/structure/channel_map.hpp>

namespace test {

template <class T>
using cpu_network = lnpt::network<lnpt::cpu::backend<T>>;
using builder = lnpt::network_builder<lnpt::cpu::backend<double>>;

/// N(0, 1), a pure function of the seed.
template <class T = double>
lnpt::cpu::array<T> images(lnpt::shape const& extents, std::uint64_t seed) {
  auto x = lnpt::cpu::uninitialized<T>(extents);
  for (std::size_t i = 0; i < x.size(); ++i) x.data()[i] = static_cast<T>(lnpt::normal(seed, 0, i).first);
  return x;
}

/// Gives γ, β, biases and running statistics values as after training.
template <class T>
cpu_network<T> trained(cpu_network<T> network, std::uint64_t seed = 5) {
  auto const disturb = [&](auto const& views) {
    for (auto const& p : views) {
      if (lnpt::is_prunable(p.role)) continue;
      for (std::size_t i = 0; i < p.value->size(); ++i) {
        auto const noise = static_cast<T>(lnpt::normal(seed, 1, i).first);
        auto const positive = p.role == lnpt::role::norm_scale || p.role == lnpt::role::running_variance ||
                              p.role == lnpt::role::leaf || p.role == lnpt::role::constant;
        p.value->data()[i] = positive ? T(0.5) + noise * noise : T(0.3) * noise;
      }
      ++seed;
    }
  };
  disturb(network.parameters());
  disturb(network.buffers());
  return network;
}

/// Gates, a channel shuffle whose halves go different ways, every activation, and tensors that scale, shift and divide, for images of
/// 3 × 8 × 8.
template <class Backend>
lnpt::network<Backend> of_every_layer() {
  using lnpt::activation_kind;
  lnpt::network_builder<Backend> net(3);
  auto const entering = net.divide(net.subtract(net.input(), net.leaf("mean", {3, 1, 1, 1}, 0.5, true)),
                                   net.leaf("deviation", {3, 1, 1, 1}, 2, true));
  lnpt::conv_options const point{.kernel = 1, .padding = 0, .bias = true};
  auto const a = net.prelu("prelu", net.batch_norm("bn", net.conv2d("a", entering, 8)), true);
  auto const squeezed = net.relu(net.conv2d("squeeze", net.adaptive_average_pool(a, 1), 4, point));
  auto const gate = net.activation(net.conv2d("excite", squeezed, 8, point), {activation_kind::hardsigmoid});
  auto const shuffled = net.channel_shuffle(net.conv2d("grouped", net.multiply(a, gate), 12, {.groups = 2}), 2);
  auto const low = net.activation(net.slice(shuffled, {{0, 6}, {}, {}}), {activation_kind::silu});
  auto const high = net.activation(net.slice(shuffled, {{6, 12}, {}, {}}), {activation_kind::hardswish});
  auto sum = net.join(low, net.prelu("one_slope", high));
  for (auto const& f :
       {lnpt::activation_function::relu6(), lnpt::activation_function::leaky_relu(0.1), lnpt::activation_function::elu(1),
        lnpt::activation_function{activation_kind::gelu}, lnpt::activation_function{activation_kind::gelu_by_tanh},
        lnpt::activation_function{activation_kind::tanh}})
    sum = net.join(sum, net.activation(low, f));
  auto const divisor = net.affine_constant(net.activation(high, {activation_kind::sigmoid}), 0.5, 1);
  auto const scaled = net.divide(net.multiply(net.subtract(sum, high), net.leaf("gamma", {6, 1, 1, 1}, 0.5)), divisor);
  auto const ratio = net.join(net.divide(scaled, net.leaf("temperature", {6, 1, 1, 1}, 2)), net.leaf("one", {1, 1, 1, 1}, 0.1));
  auto const wide = net.pad(net.upsample_nearest(net.max_pool(ratio, 3, 2, 1), 2), 1, 1, 2);
  auto const both =
      net.join(net.batch_norm("plain", net.conv2d("b", wide, 5, {.padding = 0}), false, false), net.conv2d("c", ratio, 5));
  auto const strided = net.join(net.slice(both, {{}, {0, 8, 2}, {1, 8, 2}}), net.max_pool(both, 3, 2, 0, true));
  auto const image = net.unflatten(net.linear("hidden", net.flatten(net.adaptive_average_pool(strided, 2)), 12, 20), 2);
  net.classifier("fc", net.global_average_pool(net.average_pool(image, 2, 1, 1)), 4);
  return std::move(net).build();
}

/// A fraction of the atoms, drawn by a seed; every producing axis keeps one.
inline std::vector<char> drawn(lnpt::atom_set const& set, double fraction, std::uint64_t seed) {
  std::vector<char> removed(set.atoms.size());
  std::vector<std::size_t> left;
  for (auto const& tensor : set.tensors) left.push_back(tensor.extents[0]);
  for (std::size_t a = 0; a < removed.size(); ++a) {
    if (lnpt::uniform(seed, 2, a) >= fraction) continue;
    bool last = false;
    for (auto const& s : set.atoms[a].slices)
      if (s.role == lnpt::slice_role::row) last |= left[s.tensor] <= s.indices.size();
    if (last) continue;
    removed[a] = 1;
    for (auto const& s : set.atoms[a].slices)
      if (s.role == lnpt::slice_role::row) left[s.tensor] -= s.indices.size();
  }
  return removed;
}

}  // namespace test
