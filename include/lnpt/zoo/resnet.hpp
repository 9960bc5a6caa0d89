#pragma once
/// Residual networks for CIFAR. He, Zhang, Ren, Sun, CVPR 2016, arXiv:1512.03385.
#include <string>
#include <vector>

#include <lnpt/nn/builder.hpp>

namespace lnpt::zoo {

/// How a residual block changes the number of channels: by a 1×1 convolution, or by stride and zero channels ("option A").
enum class shortcut { convolution, zero_padded };

struct resnet_options {
  int depth = 32;                                   ///< 6n + 2
  std::vector<std::size_t> widths = {32, 64, 128};  ///< one per stage
  std::size_t classes = 10;
  zoo::shortcut shortcut = zoo::shortcut::convolution;
  std::size_t input_channels = 3;
};

namespace detail {

template <class Backend>
[[nodiscard]] std::size_t residual_block(network_builder<Backend>& net, std::string const& name, std::size_t from,
                                         std::size_t width, std::size_t stride, shortcut kind) {
  auto at = net.conv2d(name + ".conv1", from, width, {.stride = stride});
  at = net.batch_norm(name + ".bn1", at, true);
  at = net.conv2d(name + ".conv2", at, width);
  at = net.batch_norm(name + ".bn2", at);
  auto skip = from;
  if (stride != 1 || net.width(from) != width) {
    if (kind == shortcut::zero_padded) {
      skip = net.subsample_pad(from, stride, width);
    } else {
      skip = net.conv2d(name + ".downsample.0", from, width, {.kernel = 1, .stride = stride, .padding = 0});
      skip = net.batch_norm(name + ".downsample.1", skip);
    }
  }
  return net.join(at, skip, true);
}

}  // namespace detail

/// ResNet-(6n+2): `conv1 bn1 layer{1,2,3}.{i}.{conv1,bn1,conv2,bn2,downsample} fc`. ResNet-32 with widths 32/64/128 has 1.86 M
/// parameters; ResNet-56 with 16/32/64 and option A 0.85 M.
template <class Backend>
[[nodiscard]] network<Backend> resnet(resnet_options const& o = {}, std::uint64_t seed = 0,
                                      typename Backend::context const& context = {}) {
  if (o.depth < 8 || (o.depth - 2) % 6 != 0)
    fail("there is no CIFAR ResNet-", o.depth, ": the depth is 6n + 2, such as 20, 32, 56 or 110");
  if (o.widths.size() != 3)
    fail("a CIFAR ResNet has three stages, but ", o.widths.size(), " widths were given: pass three, such as 16,32,64");
  auto const blocks = (o.depth - 2) / 6;
  network_builder<Backend> net(o.input_channels, seed, context);
  auto at = net.batch_norm("bn1", net.conv2d("conv1", net.input(), o.widths[0]), true);
  for (std::size_t stage = 0; stage < 3; ++stage)
    for (int i = 0; i < blocks; ++i) {
      auto const name = "layer" + std::to_string(stage + 1) + "." + std::to_string(i);
      at = detail::residual_block(net, name, at, o.widths[stage], stage > 0 && i == 0 ? 2 : 1, o.shortcut);
    }
  net.classifier("fc", net.global_average_pool(at), o.classes);
  return std::move(net).build();
}

}  // namespace lnpt::zoo
