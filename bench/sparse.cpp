/// Products by kept weights beside dense ones of the same masked weights, interleaved: `of_dense` is the median ratio of process CPU times,
/// which other programs on the machine disturb least; the time shown is that of the sparse side.
///
///     sparse/step|forward|predict/<net>/<batch>/<density in %>      a training step without the update, its forward half, a prediction
///     sparse/conv2d/<channels>x<extent>/<density in %>               the three products of a 3×3 convolution, batch 100
///     sparse/linear/<extent>/<batch>/<density in %>                  the product alone; `of_csr`: beside Eigen's row-major sparse matrix
///     sparse/memory/<net>/<batch>/<density in %>, …/dense            `bytes`: the peak of a program that builds, masks and trains the network
#include <benchmark/benchmark.h>

#include <algorithm>
#include <ctime>
#include <functional>
#include <string>
#include <vector>

#include <Eigen/SparseCore>

#include <lnpt/core/random.hpp>
#include <lnpt/lnpt.hpp>

#include "peak_memory.hpp"

namespace {

using namespace lnpt;
using backend = cpu::backend<float>;
using image = cpu::array<float>;

double cpu_seconds() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double median(std::vector<double> values) {
  std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2));
  return values[values.size() / 2];
}

image noise(shape const& extents, std::uint64_t seed) {
  auto result = cpu::uninitialized<float>(extents);
  for (std::size_t i = 0; i < result.size(); ++i) result.data()[i] = static_cast<float>(uniform(seed, i) - 0.5);
  return result;
}

mask random_mask(std::string name, shape const& extents, double density) {
  mask kept(std::move(name), extents, false);
  for (std::size_t i = 0; i < kept.size(); ++i) kept.set(i, uniform(3, kept.size(), i) < density);
  return kept;
}

mask_set random_masks(network<backend>& net, double density) {
  mask_set masks;
  for (auto const& p : net.parameters())
    if (is_prunable(p.role)) masks.add(random_mask(p.name, lnpt::shape_of(*p.value), density));
  return masks;
}

/// Runs `sparse` and each of `rivals`, named as counters, in turn.
void compare(benchmark::State& state, std::function<void()> const& sparse,
             std::vector<std::pair<char const*, std::function<void()>>> const& rivals) {
  auto const timed = [](auto const& f) {
    auto const begin = cpu_seconds();
    f();
    return cpu_seconds() - begin;
  };
  std::vector<std::vector<double>> ratios(rivals.size());
  sparse();
  for (auto const& [name, rival] : rivals) rival();  // the first round allocates
  for (auto _ : state) {
    auto const ours = timed(sparse);
    state.SetIterationTime(ours);
    for (std::size_t i = 0; i < rivals.size(); ++i) ratios[i].push_back(ours / timed(rivals[i].second));
  }
  for (std::size_t i = 0; i < rivals.size(); ++i) state.counters[rivals[i].first] = median(ratios[i]);
}

void add(std::string const& name, double density, std::size_t rounds, std::function<void(benchmark::State&, double)> run) {
  auto const title = "sparse/" + name + '/' + std::to_string(static_cast<int>(density * 100 + 0.5));
  benchmark::RegisterBenchmark(title.c_str(), [=](benchmark::State& state) { run(state, density); })
      ->UseManualTime()
      ->Iterations(static_cast<benchmark::IterationCount>(rounds))
      ->Unit(benchmark::kMillisecond);
}

template <class Make>
void add_network(std::string const& name, std::size_t batch, std::size_t rounds, double density, Make make) {
  auto const title = name + '/' + std::to_string(batch);
  auto const pair = [=](double kept) {
    std::pair nets{make(), make()};
    auto const masks = random_masks(nets.second, kept);
    apply(masks, nets.first);
    apply(masks, nets.second);
    nets.second.keep_only(masks);
    return nets;
  };
  auto const step = [](auto const& net, image const& x, bool backward) {
    auto trace = net.forward(x, {norm_mode::train});
    cotangents<image> const slope{trace.output(), std::nullopt};
    if (backward) benchmark::DoNotOptimize(net.backward(std::move(trace), slope, which_gradients::all));
  };
  for (bool const backward : {true, false})
    add((backward ? "step/" : "forward/") + title, density, rounds, [=](benchmark::State& state, double kept) {
      auto const nets = pair(kept);
      auto const x = noise({batch, 3, 32, 32}, 1);
      compare(state, [&] { step(nets.second, x, backward); }, {{"of_dense", [&] { step(nets.first, x, backward); }}});
    });
  add("predict/" + title, density, rounds, [=](benchmark::State& state, double kept) {
    auto const nets = pair(kept);
    auto const x = noise({batch, 3, 32, 32}, 1);
    compare(state, [&] { benchmark::DoNotOptimize(nets.second.predict(x)); },
            {{"of_dense", [&] { benchmark::DoNotOptimize(nets.first.predict(x)); }}});
  });
}

/// Two steps of training, the second of which finds all memory of the first.
template <class Make>
void add_memory(std::string const& name, std::size_t batch, double density, Make make) {
  auto const title =
      "sparse/memory/" + name + '/' + std::to_string(batch) + '/' + std::to_string(static_cast<int>(density * 100 + 0.5));
  for (auto const how : {execution::automatic, execution::dense})
    peak_memory::row(title + (how == execution::dense ? "/dense" : ""), [=] {
      return [=] {
        auto net = make();
        masked_sgd<backend> sgd(net, random_masks(net, density), how);
        auto const x = noise({batch, 3, 32, 32}, 1);
        for (int i = 0; i < 2; ++i) {
          auto trace = net.forward(x, {norm_mode::train});
          cotangents<image> const slope{trace.output(), std::nullopt};
          sgd.step(net, net.backward(std::move(trace), slope, which_gradients::all), 1e-4);
        }
      };
    });
}

void add_convolution(std::size_t channels, std::size_t extent, double density) {
  add("conv2d/" + std::to_string(channels) + 'x' + std::to_string(extent), density, 11,
      [=](benchmark::State& state, double kept) {
        cpu::conv_geometry const geometry{3, 1, 1};
        shape const images{channels, 100, extent, extent}, weights{channels, channels, 3, 3};
        auto const x = noise(images, 1), gy = noise(images, 2), w = noise(weights, 3);
        cpu::sparse::kept_weights<float> const few(w, random_mask("w", weights, kept).words());
        auto const masked = few.dense();
        image y, gx, gw, y_of_few, gx_of_few, gw_of_few;
        compare(state,
                [&] {
                  backend::conv2d(x, few, geometry, y_of_few, false);
                  backend::conv2d_input_gradient(gy, few, geometry, images, gx_of_few, false);
                  backend::conv2d_weight_gradient(x, gy, geometry, few, gw_of_few, false);
                },
                {{"of_dense", [&] {
                    backend::conv2d(x, masked, geometry, y, false);
                    backend::conv2d_input_gradient(gy, masked, geometry, images, gx, false);
                    backend::conv2d_weight_gradient(x, gy, geometry, weights, gw, false);
                  }}});
      });
}

void add_linear(std::size_t extent, std::size_t batch, double density) {
  add("linear/" + std::to_string(extent) + '/' + std::to_string(batch), density, 21, [=](benchmark::State& state, double kept) {
    using matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    auto const x = noise({batch, extent}, 1), w = noise({extent, extent}, 2);
    cpu::sparse::kept_weights<float> const few(w, random_mask("w", {extent, extent}, kept).words());
    auto const masked = few.dense();
    auto const size = static_cast<Eigen::Index>(extent), samples = static_cast<Eigen::Index>(batch);
    Eigen::SparseMatrix<float, Eigen::RowMajor> const csr = Eigen::Map<matrix const>(masked.data(), size, size).sparseView();
    Eigen::Map<matrix const> const features(x.data(), samples, size);
    Eigen::MatrixXf const columns = features.transpose();
    Eigen::MatrixXf product(size, samples);
    image y, y_of_few;
    compare(
        state, [&] { backend::linear(x, few, y_of_few, false); },
        {{"of_dense", [&] { backend::linear(x, masked, y, false); }}, {"of_csr", [&] { product.noalias() = csr * columns; }}});
  });
}

}  // namespace

int main(int argc, char** argv) {
  for (auto const density : {0.05, 0.02, 0.01, 0.2}) {
    auto const resnet32 = [] { return zoo::resnet<backend>({.depth = 32, .widths = {32, 64, 128}}); };
    auto const vgg19 = [] { return zoo::vgg<backend>({.depth = 19}); };
    for (auto const batch : {std::size_t{100}, std::size_t{8}}) {
      add_memory("resnet32", batch, density, resnet32);
      add_memory("vgg19", batch, density, vgg19);
    }
    add_network("resnet32", 100, 7, density, resnet32);
    add_network("vgg19", 100, 5, density, vgg19);
    add_network("resnet20", 1, 51, density, [] { return zoo::resnet<backend>({.depth = 20, .widths = {16, 32, 64}}); });
  }
  for (auto const density : {0.05, 0.2, 0.35, 0.5})
    for (auto const& [channels, extent] : {std::pair<std::size_t, std::size_t>{32, 32}, {64, 16}, {128, 8}, {512, 4}, {512, 2}})
      add_convolution(channels, extent, density);
  for (std::size_t const batch : {1, 64}) add_linear(4096, batch, 0.05);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
