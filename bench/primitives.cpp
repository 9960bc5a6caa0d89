/// The primitives of the CPU engine on the layers of the networks that lnpt prunes, each beside the plain Eigen product of the same size.
///
/// Names: `<primitive>/<channels>x<height>_to_<outputs>[_s<stride>]`; counters: GFLOP/s of the useful arithmetic, or GB/s of the arrays
/// that a pass must touch once.
#include <benchmark/benchmark.h>

#include <functional>
#include <string>
#include <vector>

#include <Eigen/Core>

#include <lnpt/backend/cpu/channels.hpp>
#include <lnpt/backend/cpu/convolution/conv2d.hpp>
#include <lnpt/backend/cpu/elementwise.hpp>
#include <lnpt/backend/cpu/linear.hpp>
#include <lnpt/backend/cpu/pool.hpp>
#include <lnpt/backend/cpu/sgd.hpp>

namespace {

using namespace lnpt;
using image = cpu::array<float>;

constexpr std::size_t batch = 100;

image noise(shape const& extents) {
  auto result = cpu::uninitialized<float>(extents);
  Eigen::Map<Eigen::ArrayXf>(result.data(), static_cast<Eigen::Index>(result.size())).setRandom();
  return result;
}

struct layer {
  std::size_t channels, extent, outputs;
  cpu::conv_geometry geometry = {3, 1, 1, 1, 1};

  shape x() const { return {channels, batch, extent, extent}; }
  shape w() const { return {outputs, channels / geometry.groups, geometry.kernel.h, geometry.kernel.w}; }
  shape y() const { return {outputs, batch, geometry.out_h(extent), geometry.out_w(extent)}; }
  double operations() const {
    return 2.0 * static_cast<double>(element_count(y())) * static_cast<double>(channels / geometry.groups * geometry.taps());
  }
  std::string name() const {
    auto text = std::to_string(channels) + 'x' + std::to_string(extent) + "_to_" + std::to_string(outputs) + "_k" +
                std::to_string(geometry.kernel.h);
    if (geometry.stride.h != 1) text += "_s" + std::to_string(geometry.stride.h);
    if (geometry.groups != 1) text += "_depthwise";
    return text;
  }
};

/// ResNet-20 and -32, VGG-19 and MobileNet, and their strides.
std::vector<layer> layers() {
  cpu::conv_geometry const strided{3, 2, 1, 1, 1}, point{1, 1, 0, 1, 1}, shortcut{1, 2, 0, 1, 1};
  return {{16, 32, 16},
          {32, 16, 32},
          {64, 8, 64},
          {3, 32, 32},
          {32, 32, 32},
          {32, 32, 64, strided},
          {64, 16, 64},
          {64, 16, 128, strided},
          {128, 8, 128},
          {32, 32, 64, shortcut},
          {64, 32, 64},
          {128, 16, 128},
          {256, 8, 256},
          {256, 4, 512},
          {512, 4, 512},
          {512, 2, 512},
          {64, 32, 128, point},
          {512, 4, 512, point},
          {64, 32, 64, {3, 1, 1, 1, 64}},
          {512, 4, 512, {3, 1, 1, 1, 512}}};
}

void report(benchmark::State& state, char const* unit, double per_iteration) {
  state.counters[unit] = benchmark::Counter(per_iteration * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

void register_layer(layer const& l) {
  using benchmark::State;
  auto const add = [&](char const* primitive, auto run) {
    benchmark::RegisterBenchmark((std::string(primitive) + '/' + l.name()).c_str(),
                                 [l, run](State& state) {
                                   auto const x = noise(l.x()), w = noise(l.w()), gy = noise(l.y());
                                   image out;
                                   run(l, x, w, gy, out);  // the first round allocates
                                   for (auto _ : state) {
                                     run(l, x, w, gy, out);
                                     benchmark::DoNotOptimize(out.data());
                                   }
                                   report(state, "GFLOP/s", l.operations());
                                 })
        ->MeasureProcessCPUTime()
        ->UseRealTime()
        ->Unit(benchmark::kMillisecond);
  };
  add("conv2d",
      [](layer const& k, image const& x, image const& w, image const&, image& y) { cpu::conv2d(x, w, k.geometry, y, false); });
  add("input_gradient", [](layer const& k, image const&, image const& w, image const& gy, image& gx) {
    cpu::conv2d_input_gradient(gy, w, k.geometry, k.x(), gx, false);
  });
  add("weight_gradient", [](layer const& k, image const& x, image const&, image const& gy, image& gw) {
    cpu::conv2d_weight_gradient(x, gy, k.geometry, k.w(), gw, false);
  });
  add("squares", [](layer const& k, image const& x, image const&, image const& gy, image& sum) {
    cpu::conv2d_weight_gradient_squares(x, gy, k.geometry, k.w(), sum, false);
  });
  if (l.geometry.groups != 1) return;
  add("eigen_product", [](layer const& k, image const&, image const& w, image const&, image& y) {  // the columns already built
    using matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    auto const depth = static_cast<Eigen::Index>(w.size() / k.outputs), outputs = static_cast<Eigen::Index>(k.outputs);
    auto const pixels = static_cast<Eigen::Index>(element_count(k.y()) / k.outputs);
    static matrix columns;
    if (columns.rows() != depth || columns.cols() != pixels) columns = matrix::Random(depth, pixels);
    y.resize(k.y());
    Eigen::Map<matrix> result(y.data(), outputs, pixels);
    Eigen::Map<matrix const> weights(w.data(), outputs, depth);
    cpu::for_chunks(static_cast<std::size_t>(pixels), 512, [&](std::size_t begin, std::size_t end) {
      auto const first = static_cast<Eigen::Index>(begin), count = static_cast<Eigen::Index>(end - begin);
      result.middleCols(first, count).noalias() = weights * columns.middleCols(first, count);
    });
  });
}

/// A pass over arrays of this shape; `arrays` counts how many of them it reads or writes.
void register_pass(char const* name, shape const& extents, double arrays,
                   std::function<void(image const&, image const&, image&)> run) {
  benchmark::RegisterBenchmark((std::string(name) + '/' + std::to_string(extents[0]) + 'x' + std::to_string(extents[2])).c_str(),
                               [=](benchmark::State& state) {
                                 auto const x = noise(extents), g = noise(extents);
                                 auto out = noise(extents);
                                 for (auto _ : state) {
                                   run(x, g, out);
                                   benchmark::DoNotOptimize(out.data());
                                 }
                                 report(state, "GB/s", arrays * static_cast<double>(x.size() * sizeof(float)));
                               })
      ->MeasureProcessCPUTime()
      ->UseRealTime()
      ->Unit(benchmark::kMillisecond);
}

void register_passes(shape const& extents) {
  std::vector<double> const c(extents[0], 0.5);
  register_pass("memcpy", extents, 2, [](auto const& x, auto const&, auto& out) {
    cpu::for_chunks(x.size(), cpu::streaming_grain,
                    [&](std::size_t begin, std::size_t end) { std::copy(x.data() + begin, x.data() + end, out.data() + begin); });
  });
  register_pass("channel_sums", extents, 2,
                [](auto const& x, auto const& g, auto&) { benchmark::DoNotOptimize(cpu::channel_sums(g, x)); });
  register_pass("channel_sums_gated", extents, 3,
                [](auto const& x, auto const& g, auto& out) { benchmark::DoNotOptimize(cpu::channel_sums(g, x, &out)); });
  auto const combine = [c](std::size_t terms, bool gated) {
    return [c, terms, gated](auto const& x, auto const& g, auto& out) {
      cpu::term<float> const all[] = {{&x, &c, gated}, {&g, &c}, {&x, &c, gated}, {&g, &c}};
      out = cpu::channel_combination<float>(std::span(all, terms), &c, gated ? &x : nullptr, !gated);
    };
  };
  register_pass("channel_combination_1", extents, 2, combine(1, false));
  register_pass("channel_combination_2_gated", extents, 3, combine(2, true));
  register_pass("channel_combination_4_gated", extents, 3, combine(4, true));
  register_pass("add_rectified", extents, 3, [](auto const& x, auto const& g, auto& out) { out = cpu::add(x, g, true); });
  register_pass("gate", extents, 3, [](auto const& x, auto const& g, auto& out) { out = cpu::gate(x, g); });
  register_pass("max_pool", extents, 1.5,
                [indices = std::vector<std::uint32_t>()](auto const& x, auto const&, auto& out) mutable {
                  out = cpu::max_pool(x, {2, 2}, indices);
                });
}

void register_step(std::size_t weights) {
  for (bool const masked : {false, true})
    benchmark::RegisterBenchmark(masked ? "sgd_step_masked" : "sgd_step",
                                 [=](benchmark::State& state) {
                                   auto w = noise({weights}), v = noise({weights});
                                   auto const g = noise({weights});
                                   std::vector<std::uint64_t> const keep(masked ? weights / 64 : 0, 0x8421'0842'1084'2108);
                                   for (auto _ : state) cpu::sgd_step(w, g, v, keep, {});
                                   report(state, "GB/s", 5.0 * static_cast<double>(weights) * sizeof(float));
                                 })
        ->MeasureProcessCPUTime()
        ->UseRealTime()
        ->Unit(benchmark::kMillisecond);
  benchmark::RegisterBenchmark("sgd_step_memcpy_of_three",
                               [=](benchmark::State& state) {
                                 image const from[] = {noise({weights}), noise({weights}), noise({weights})};
                                 image to[] = {noise({weights}), noise({weights}), noise({weights})};
                                 for (auto _ : state)
                                   for (std::size_t i = 0; i < 3; ++i)
                                     cpu::for_chunks(weights, cpu::streaming_grain, [&](std::size_t begin, std::size_t end) {
                                       std::copy(from[i].data() + begin, from[i].data() + end, to[i].data() + begin);
                                     });
                                 report(state, "GB/s", 6.0 * static_cast<double>(weights) * sizeof(float));
                               })
      ->MeasureProcessCPUTime()
      ->UseRealTime()
      ->Unit(benchmark::kMillisecond);
}

}  // namespace

int main(int argc, char** argv) {
  for (auto const& l : layers()) register_layer(l);
  register_passes({32, batch, 32, 32});
  register_passes({128, batch, 8, 8});
  register_step(std::size_t{1} << 24);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
