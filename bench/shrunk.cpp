/// Networks after half of their multiply–adds are removed, with and without rounded widths, and the stairs that the rounding is read from.
#include <string>

#include "rows.hpp"

namespace {

using namespace bench_nets;
using net32 = network<cpu::backend<float>>;

constexpr std::size_t samples = 32;
shape const image{3, 32, 32};

net32 dense(std::string const& name) {
  if (name == "resnet56")
    return zoo::resnet<cpu::backend<float>>({.depth = 56, .widths = {16, 32, 64}, .shortcut = zoo::shortcut::zero_padded}, 1);
  return zoo::vgg<cpu::backend<float>>({.depth = 16}, 1);
}

/// Without half of the multiply–adds, by magnitude of fresh weights: what is timed depends on widths alone.
net32 halved(std::string const& name, channel_rounding rounding) {
  auto net = dense(name);
  auto const map = channel_map_of(net, image);
  auto const masks = prune<magnitude, coupled_channels<flops>>(
                         net, {.budget = flops{0.5}, .strategy = {.atoms = &map.set, .normalize = true, .round_to = rounding}})
                         .masks;
  return shrink(net, masks, bench_nets::noise({2, 3, 32, 32}, 1)).model;
}

/// One inference pass on one thread; the rows say their multiply–adds and parameters.
void forward_row(benchmark::State& state, net32 net) {
  oneapi::tbb::global_control const limit(oneapi::tbb::global_control::max_allowed_parallelism, 1);
  auto const batch = bench_nets::noise({samples, 3, 32, 32}, 7);
  auto const costs = count(net, image);
  time_passes(state, [&] { benchmark::DoNotOptimize(net.predict(batch)); });
  state.counters["multiply_adds"] = static_cast<double>(costs.multiply_adds());
  state.counters["parameters"] = static_cast<double>(costs.size());
}

/// A 3×3 convolution of so many channels to as many on maps of 32×32.
void stairs_row(benchmark::State& state, std::size_t channels) {
  oneapi::tbb::global_control const limit(oneapi::tbb::global_control::max_allowed_parallelism, 1);
  auto const x = bench_nets::noise({channels, samples, 32, 32}, 1), w = bench_nets::noise({channels, channels, 3, 3}, 2);
  cpu::conv_geometry const geometry{.kernel = 3, .stride = 1, .padding = 1};
  array y;
  time_passes(state, [&] { cpu::conv2d(x, w, geometry, y, false); });
}

bool const registered = [] {
  for (std::string const name : {"resnet56", "vgg16"}) {
    row("forward/" + name + "/dense", 5, [=](auto& state) { forward_row(state, dense(name)); });
    row("forward/" + name + "/half", 5, [=](auto& state) { forward_row(state, halved(name, {})); });
    row("forward/" + name + "/half_rounded", 5, [=](auto& state) { forward_row(state, halved(name, round_to<net32>())); });
  }
  for (std::size_t const channels : {8, 9, 16, 17, 48, 49, 64, 65})
    row("stairs/channels:" + std::to_string(channels), 5, [=](auto& state) { stairs_row(state, channels); });
  return true;
}();

}  // namespace
