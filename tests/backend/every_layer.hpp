#pragma once
// A network with a layer of every kind, and tensors for it, for tests that hold one backend against another.
#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

#include <lnpt/core/model.hpp>
#include <lnpt/core/random.hpp>
#include <lnpt/nn/builder.hpp>

/// Every kind of layer: a biased convolution, batch norm with its rectifier and without, arithmetic, gates, copies, pools, linear layers.
template <class Backend>
lnpt::network<Backend> every_layer() {
  lnpt::network_builder<Backend> net(3, 3);
  auto const x = net.batch_norm("bn1", net.conv2d("conv1", net.input(), 4, {.bias = true}), true);
  auto const y = net.join(net.batch_norm("bn2", net.conv2d("conv2", x, 4)), x, true);
  auto const gate =
      net.activation(net.prelu("prelu", net.linear("gate", net.global_average_pool(y), 4)), {lnpt::activation_kind::silu});
  auto const gated =
      net.divide(net.subtract(net.multiply(y, net.unflatten(gate)), x), net.affine_constant(net.join(x, x), 0.5, 2));
  auto const turned = net.slice(net.channel_shuffle(net.pad(net.upsample_nearest(gated, 2), {1, 0}, 1, 1), 3),
                                {{1, 6, 2}, {2, 14, 4}, {0, 12, 4}});
  auto const pooled = net.concat({net.max_pool(y, 2, 2), net.average_pool(y, 2, 2), net.subsample_pad(x, 2, 5), turned,
                                  net.adaptive_average_pool(gated, 3)});
  auto const map = net.global_average_pool(net.conv2d("conv3", pooled, 4));
  auto const flat = net.relu(net.linear("hidden", net.flatten(net.concat({net.relu(pooled)})), 4, 20 * 9));
  net.classifier("fc", net.join(map, flat), 5);
  return std::move(net).build();
}

/// The slope of Σ y³/3, a loss with curvature.
inline constexpr auto square_of_output = [](auto const& p) {
  lnpt::cotangents<std::remove_cvref_t<decltype(p.output)>> slope;
  slope.output = p.output * p.output;
  return slope;
};

template <class T>
T random_tensor(lnpt::shape const& extents, std::uint64_t seed) {
  std::vector<lnpt::value_type<T>> drawn(lnpt::element_count(extents));
  for (std::size_t i = 0; i < drawn.size(); ++i) drawn[i] = static_cast<lnpt::value_type<T>>(lnpt::normal(seed, 0, i).first);
  return lnpt::make_tensor<T>(extents, drawn, T{});
}
