#pragma once
/// VGG for CIFAR. Simonyan, Zisserman, ICLR 2015, arXiv:1409.1556.
#include <array>
#include <vector>

#include <lnpt/nn/builder.hpp>

namespace lnpt::zoo {

struct vgg_options {
  int depth = 19;          ///< 11, 13, 16 or 19
  std::size_t width = 64;  ///< channels of the first block; later blocks have 2, 4, 8 and 8 times as many
  std::size_t classes = 10;
  bool batch_norm = true;
  std::size_t input_channels = 3;
};

/// Five blocks of 3×3 convolutions without bias, four 2×2 pools between them, a global average and a linear classifier: the CIFAR
/// form with names `features.N` and `classifier`. VGG-16 has 14.72 M parameters, VGG-19 20.04 M.
template <class Backend>
[[nodiscard]] network<Backend> vgg(vgg_options const& o = {}, std::uint64_t seed = 0,
                                   typename Backend::context const& context = {}) {
  auto const per_block = [&]() -> std::array<int, 5> {
    switch (o.depth) {
      case 11: return {1, 1, 2, 2, 2};
      case 13: return {2, 2, 2, 2, 2};
      case 16: return {2, 2, 3, 3, 3};
      case 19: return {2, 2, 4, 4, 4};
      default: fail("there is no VGG-", o.depth, ": choose 11, 13, 16 or 19");
    }
  }();
  constexpr std::array<std::size_t, 5> widths{1, 2, 4, 8, 8};
  network_builder<Backend> net(o.input_channels, seed, context);
  auto at = net.input();
  int index = 0;  // PyTorch counts the activations and pools of a Sequential too
  auto const name = [&] { return "features." + std::to_string(index++); };
  for (std::size_t block = 0; block < widths.size(); ++block) {
    for (int i = 0; i < per_block[block]; ++i) {
      at = net.conv2d(name(), at, widths[block] * o.width);
      at = o.batch_norm ? net.batch_norm(name(), at, true) : net.relu(at);
      ++index;
    }
    if (block + 1 == widths.size()) break;
    at = net.max_pool(at, 2, 2);
    ++index;
  }
  net.classifier("classifier", net.global_average_pool(at), o.classes);
  return std::move(net).build();
}

}  // namespace lnpt::zoo
