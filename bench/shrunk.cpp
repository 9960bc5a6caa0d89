/// Networks after half of their multiply–adds are removed, with and without rounded widths, and the stairs that the rounding is read from.
#include <string>

#include "shrunk_nets.hpp"

namespace {

using namespace bench_nets;

/// One inference pass on one thread; the rows say their multiply–adds and parameters.
void forward_row(benchmark::State& state, net32 net) {
  oneapi::tbb::global_control const limit(oneapi::tbb::global_control::max_allowed_parallelism, 1);
  auto const batch = bench_nets::noise({shrunk_samples, 3, 32, 32}, 7);
  auto const costs = count(net, shrunk_image);
  time_passes(state, [&] { benchmark::DoNotOptimize(net.predict(batch)); });
  state.counters["multiply_adds"] = static_cast<double>(costs.multiply_adds());
  state.counters["parameters"] = static_cast<double>(costs.size());
}

/// A 3×3 convolution of so many channels to as many on maps of 32×32.
void stairs_row(benchmark::State& state, std::size_t channels) {
  oneapi::tbb::global_control const limit(oneapi::tbb::global_control::max_allowed_parallelism, 1);
  auto const x = bench_nets::noise({channels, shrunk_samples, 32, 32}, 1), w = bench_nets::noise({channels, channels, 3, 3}, 2);
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
