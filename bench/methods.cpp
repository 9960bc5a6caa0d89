/// The other methods of the field: TPP's step in plain steps, interval bounds and HRank in forward passes.
#include <utility>
#include <vector>

#include <lnpt/analysis/interval_bounds.hpp>
#include <lnpt/filters/hrank.hpp>
#include <lnpt/regulariser/preserve_trainability.hpp>
#include <lnpt/structure/inner_filters.hpp>
#include <lnpt/train/masked_sgd.hpp>

#include "rows.hpp"

namespace {

using namespace bench_nets;

constexpr std::size_t ranked_images = 50;

/// A whole step of dense training on labels: forward, backward, TPP's gradient if asked for, and SGD.
void learning_row(benchmark::State& state, std::string const& name, bool preserving) {
  auto net = make<>(name, 1);
  auto const batch = batch_for(name);
  masked_sgd<cpu::backend<float>> sgd(net, {});
  preserve_trainability const tpp({lowest_filters(net.parameters(), inner_filters(net, {3, 32, 32}), 0.5)},
                                  {.step = 1e-4, .every = 1});
  time_passes(state, [&] {
    training_step<array> at{0, 1, 1000, 1e-4, net.parameters(), forward_backward(net, batch), nullptr};
    if (preserving) tpp.before_step(at);
    sgd.step(net, at.gradients, {.learning_rate = 1e-4, .momentum = 0.9, .weight_decay = 5e-4});
  });
}

void forward_row(benchmark::State& state) {
  auto net = zoo::vgg<cpu::backend<float>>({.depth = 16}, 1);
  auto const image = bench_nets::noise({1, 3, 32, 32}, 7);
  time_passes(state, [&] { benchmark::DoNotOptimize(net.predict(image, {norm_mode::eval})); });
}

void bounds_row(benchmark::State& state) {
  auto net = zoo::vgg<cpu::backend<float>>({.depth = 16}, 1);
  auto const box = box_of<array>({1, 3, 32, 32}, 0, 1);
  time_passes(state, [&] { benchmark::DoNotOptimize(interval_bounds(net, box)); });
}

void hrank_row(benchmark::State& state) {
  auto net = zoo::resnet<cpu::backend<float>>({.depth = 56, .widths = {16, 32, 64}}, 1);
  std::vector<unlabelled_batch<array>> const batches{{bench_nets::noise({ranked_images, 3, 32, 32}, 7)}};
  time_passes(state, [&] { benchmark::DoNotOptimize(score<hrank>(net, batches)); });
}

/// What HRank cannot do without: a forward pass, and the rank of every map of it.
void ranked_maps_row(benchmark::State& state) {
  struct map_set {
    std::vector<float> values;
    std::size_t rows, columns;
  };
  auto net = zoo::resnet<cpu::backend<float>>({.depth = 56, .widths = {16, 32, 64}}, 1);
  auto const images = bench_nets::noise({ranked_images, 3, 32, 32}, 7);
  std::vector<map_set> sets;
  (void)lnpt::detail::worth_by_maps(net, net.forward(images, {norm_mode::eval}), [&](auto const& maps, shape const& extents) {
    sets.push_back({{maps.begin(), maps.end()}, extents[2], extents[3]});
    return std::vector<double>(extents[0]);
  });
  time_passes(state, [&] {
    benchmark::DoNotOptimize(net.predict(images, {norm_mode::eval}));
    for (auto const& set : sets) {
      auto const area = set.rows * set.columns;
      cpu::for_each_task(set.values.size() / area, [&](std::size_t i) {
        benchmark::DoNotOptimize(map_rank(set.values.data() + i * area, set.rows, set.columns));
      });
    }
  });
}

bool const registered = [] {
  for (std::string const net : {"resnet32", "vgg19"}) {
    row("train/plain/" + net, 4, [=](auto& state) { learning_row(state, net, false); });
    row("train/tpp/" + net, 4, [=](auto& state) { learning_row(state, net, true); });
  }
  row("forward/vgg16", 50, forward_row);
  row("bounds/vgg16", 50, bounds_row);
  row("ranked_maps/resnet56", 2, ranked_maps_row);
  row("hrank/resnet56", 2, hrank_row);
  return true;
}();

}  // namespace
