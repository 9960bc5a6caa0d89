#pragma once
/// MobileNet v1. Howard et al. 2017, arXiv:1704.04861.
#include <string>

#include <lnpt/nn/builder.hpp>

namespace lnpt::zoo {

struct mobilenet_options {
  std::size_t width = 32;  ///< channels of the first convolution
  std::size_t classes = 10;
  bool imagenet = false;  ///< strides for 224×224 instead of 32×32: 4.23 M parameters, 569 M multiply–adds with 1000 classes
  std::size_t input_channels = 3;
};

/// A convolution, thirteen depthwise-separable blocks (3×3 depthwise, 1×1 pointwise), a global average and a classifier. Names:
/// `conv1 bn1 layers.{i}.{conv1,bn1,conv2,bn2} linear`.
template <class Backend>
[[nodiscard]] network<Backend> mobilenet(mobilenet_options const& o = {}, std::uint64_t seed = 0,
                                         typename Backend::context const& context = {}) {
  struct block {
    std::size_t width, stride;
  };
  constexpr block blocks[] = {{2, 1},  {4, 2},  {4, 1},  {8, 2},  {8, 1},  {16, 2}, {16, 1},
                              {16, 1}, {16, 1}, {16, 1}, {16, 1}, {32, 2}, {32, 1}};
  network_builder<Backend> net(o.input_channels, seed, context);
  auto at = net.batch_norm("bn1", net.conv2d("conv1", net.input(), o.width, {.stride = o.imagenet ? 2u : 1u}), true);
  for (std::size_t i = 0; i < std::size(blocks); ++i) {
    auto const name = "layers." + std::to_string(i);
    auto const inputs = net.width(at);
    at = net.batch_norm(name + ".bn1", net.conv2d(name + ".conv1", at, inputs, {.stride = blocks[i].stride, .groups = inputs}),
                        true);
    at = net.batch_norm(name + ".bn2", net.conv2d(name + ".conv2", at, blocks[i].width * o.width, {.kernel = 1, .padding = 0}),
                        true);
  }
  net.classifier("linear", net.global_average_pool(at), o.classes);
  return std::move(net).build();
}

}  // namespace lnpt::zoo
