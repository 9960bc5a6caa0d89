/// Networks in LibTorch after half of their multiply–adds are removed, with and without widths rounded for oneDNN, in both memory formats.
#include <memory>
#include <string>

#include "shrunk_nets.hpp"
#include "torch_nets.hpp"

namespace {

using namespace bench_nets;

/// What oneDNN's kernels are good at, as the stairs of `libtorch/stairs` show: outputs in 16, from 16 on.
constexpr channel_rounding of_onednn{.multiple = 16, .above = 16};

at::Tensor in_format(at::Tensor const& t, at::MemoryFormat format) { return t.dim() == 4 ? t.contiguous(format) : t; }

/// One inference pass on one thread.
void forward_row(benchmark::State& state, net32 const& net, at::MemoryFormat format) {
  at::set_num_threads(1);
  at::NoGradGuard const plain;
  auto owned = net;
  graph_module module(owned, at::kCPU);
  module.eval();
  for (auto& p : module.parameters()) p.set_data(in_format(p.detach(), format));
  auto const x = in_format(at::randn({static_cast<std::int64_t>(shrunk_samples), 3, 32, 32}), format);
  time_passes(state, [&] { benchmark::DoNotOptimize(module.forward(x).first); });
  state.counters["multiply_adds"] = static_cast<double>(count(owned, shrunk_image).multiply_adds());
}

/// A 3×3 convolution of so many channels to as many on maps of 32×32.
void stairs_row(benchmark::State& state, std::int64_t channels, at::MemoryFormat format) {
  at::set_num_threads(1);
  at::NoGradGuard const plain;
  auto const x = in_format(at::randn({static_cast<std::int64_t>(shrunk_samples), channels, 32, 32}), format);
  auto const w = in_format(at::randn({channels, channels, 3, 3}), format);
  time_passes(state, [&] { benchmark::DoNotOptimize(at::conv2d(x, w, {}, 1, 1)); });
}

bool const registered = [] {
  for (auto const& [suffix, format] :
       {std::pair("", at::MemoryFormat::Contiguous), std::pair("/channels_last", at::MemoryFormat::ChannelsLast)}) {
    for (std::string const name : {"resnet56", "vgg16"}) {
      auto const add = [&, format = format](std::string const& what, auto make) {
        row("libtorch/forward/" + name + "/" + what + suffix, 5, [=](auto& state) { forward_row(state, make(), format); });
      };
      add("dense", [=] { return dense(name); });
      add("half", [=] { return halved(name, {}); });
      add("half_rounded", [=] { return halved(name, of_onednn); });
    }
    for (std::int64_t const channels : {8, 9, 16, 17, 48, 49, 64, 65})
      row("libtorch/stairs" + std::string(suffix) + "/channels:" + std::to_string(channels), 5,
          [=, format = format](auto& state) { stairs_row(state, channels, format); });
  }
  return true;
}();

}  // namespace
