#pragma once
/// Networks of the CIFAR papers, dense and after half of their multiply–adds are removed.
#include <string>

#include "rows.hpp"

namespace bench_nets {

using net32 = network<cpu::backend<float>>;

inline constexpr std::size_t shrunk_samples = 32;
inline shape const shrunk_image{3, 32, 32};

inline net32 dense(std::string const& name) {
  if (name == "resnet56")
    return zoo::resnet<cpu::backend<float>>({.depth = 56, .widths = {16, 32, 64}, .shortcut = zoo::shortcut::zero_padded}, 1);
  return zoo::vgg<cpu::backend<float>>({.depth = 16}, 1);
}

/// Without half of the multiply–adds, by magnitude of fresh weights: what is timed depends on widths alone.
inline net32 halved(std::string const& name, channel_rounding rounding) {
  auto net = dense(name);
  auto const map = channel_map_of(net, shrunk_image);
  auto const masks = prune<magnitude, coupled_channels<flops>>(
                         net, {.budget = flops{0.5}, .strategy = {.atoms = &map.set, .normalize = true, .round_to = rounding}})
                         .masks;
  return shrink(net, masks, bench_nets::noise({2, 3, 32, 32}, 1)).model;
}

}  // namespace bench_nets
