/// LibTorch's own passes and training, what scoring and training one of its modules with lnpt costs beside them, and its way to select
/// the largest scores.
#include <benchmark/benchmark.h>
#include <torch/optim/sgd.h>

#include <functional>
#include <memory>
#include <string>

#include "peak_memory.hpp"
#include "torch_nets.hpp"

namespace {

using bench_nets::forward_backward, bench_nets::make_workload, bench_nets::workload;

using work = void (*)(workload&);

template <class Criterion>
void score_with_labels(workload& w) {
  benchmark::DoNotOptimize(lnpt::score<Criterion>(*w.model, w.batch, {}));
}

void score_features(workload& w) {
  lnpt::known_predictions const guide(w.teacher_prediction);
  benchmark::DoNotOptimize(lnpt::score<lnpt::feature_map_synaptic<>>(*w.model, w.batch, guide, {}));
}

void synflow_in_100_rounds(workload& w) {
  benchmark::DoNotOptimize(lnpt::prune<lnpt::synflow>(*w.model, lnpt::shape{3, 32, 32}, {.budget = lnpt::sparsity{0.99}}));
}

constexpr std::size_t training_steps = 4;

/// An epoch as a LibTorch user writes it, from rest, its batches at hand.
void train_plainly(workload& w) {
  torch::optim::SGD sgd(w.module->parameters(), torch::optim::SGDOptions(0.1).momentum(0.9).weight_decay(5e-4));
  for (std::size_t step = 0; step < training_steps; ++step) {
    forward_backward(w);
    sgd.step();
  }
}

/// The library's own under masks, which draws and augments images as it goes.
void train_masked(workload& w) {
  lnpt::train(*w.model, w.masks, w.images, lnpt::io::image_set{}, lnpt::no_guide{}, lnpt::cross_entropy{},
              {.epochs = 1, .batch = w.images.size() / training_steps});
}

auto* row(std::string const& name, int passes, std::function<void(benchmark::State&)> body) {
  return benchmark::RegisterBenchmark(("libtorch/" + name).c_str(), std::move(body))
      ->Iterations(passes)
      ->UseRealTime()
      ->MeasureProcessCPUTime()
      ->Unit(benchmark::kMillisecond);
}

using preparation = workload (*)(std::string const& net, std::size_t samples);

/// A workload with 95 % of its weights pruned and images for an epoch.
workload with_masks(std::string const& net, std::size_t samples) {
  auto w = make_workload(net, samples);
  w.masks = lnpt::prune<lnpt::random>(*w.model, {.budget = lnpt::sparsity{0.95}}).masks;
  w.images = lnpt::io::synthetic({.train = training_steps * samples, .test = 0}).train;
  return w;
}

/// `work` after one untimed pass of LibTorch's own, which sets it up.
void time_row(std::string const& name, std::string const& net, std::size_t samples, int passes, work run,
              preparation make = make_workload) {
  row(name + '/' + net + bench_nets::batch_suffix(samples), passes, [=](benchmark::State& state) {
    auto w = make(net, samples);
    forward_backward(w);
    for (auto _ : state) run(w);
  });
}

/// What `work` adds at its peak. A pass of two samples before it loads the code and starts the threads.
void memory_row(std::string const& name, std::string const& net, preparation make, work run) {
  peak_memory::row("libtorch/memory/" + name + '/' + net, [=] {
    auto small = make(net, 2);
    run(small);
    auto const w = std::make_shared<workload>(make(net, bench_nets::batch_size));
    return [=] { run(*w); };
  });
}

void kthvalue(benchmark::State& state, std::int64_t scores) {
  at::set_num_threads(2);
  auto const values = at::rand({scores});
  for (auto _ : state) benchmark::DoNotOptimize(at::kthvalue(values, scores - scores / 20));
}

bool const registered = [] {
  for (std::string const net : bench_nets::networks)
    for (auto const& [samples, passes] : bench_nets::batches)
      time_row("forward_backward", net, samples, passes, forward_backward);
  for (std::string const net : bench_nets::mobile_networks)
    time_row("forward_backward", net, bench_nets::batch_size, 4, forward_backward);
  for (std::string const net : bench_nets::scored_networks) {
    auto const time = [&](char const* what, int passes, work run, preparation make = make_workload) {
      time_row(what, net, bench_nets::batch_size, passes, run, make);
    };
    time("score/snip", 2, score_with_labels<lnpt::snip>);
    time("score/feature_map_synaptic", 2, score_features);
    time("score/grasp", 1, score_with_labels<lnpt::grasp>);
    time("score/synflow_100_rounds", 1, synflow_in_100_rounds);
    time("train", 1, train_plainly);
    time("train_masked", 1, train_masked, with_masks);
  }
  row("select/kthvalue/20000000", 1, [](auto& state) { kthvalue(state, 20'000'000); });
  memory_row("forward_backward", "vgg19", make_workload, forward_backward);
  memory_row("train", "vgg19", with_masks, train_plainly);
  memory_row("train_masked", "vgg19", with_masks, train_masked);
  return true;
}();

}  // namespace
