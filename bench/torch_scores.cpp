/// LibTorch's own passes, what scoring one of its modules costs beside them, and its way to select the largest scores.
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
  lnpt::known_predictions const guide(w.taught);
  benchmark::DoNotOptimize(lnpt::score<lnpt::feature_map_synaptic<>>(*w.model, w.batch, guide, {}));
}

void synflow_in_100_rounds(workload& w) {
  benchmark::DoNotOptimize(lnpt::prune<lnpt::synflow>(*w.model, lnpt::shape{3, 32, 32}, {.budget = lnpt::sparsity{0.99}}));
}

/// Two steps of plain training from rest: the first brings the momentum into being.
void train_plainly(workload& w) {
  torch::optim::SGD sgd(w.module->parameters(), torch::optim::SGDOptions(0.1).momentum(0.9));
  for (int step = 0; step < 2; ++step) {
    forward_backward(w);
    sgd.step();
  }
}

/// The same under masks.
void train_masked(workload& w) {
  torch::optim::SGD sgd(w.module->parameters(), torch::optim::SGDOptions(0.1).momentum(0.9));
  lnpt::masked_optimizer optimizer(sgd, *w.model, w.masks);
  for (int step = 0; step < 2; ++step) {
    forward_backward(w);
    optimizer.step();
  }
}

auto* row(std::string const& name, int passes, std::function<void(benchmark::State&)> body) {
  return benchmark::RegisterBenchmark(("libtorch/" + name).c_str(), std::move(body))
      ->Iterations(passes)
      ->UseRealTime()
      ->MeasureProcessCPUTime()
      ->Unit(benchmark::kMillisecond);
}

/// `work` after one untimed pass of LibTorch's own, which sets it up.
void time_row(std::string const& name, std::string const& net, std::size_t samples, int passes, work run) {
  row(name + '/' + net + bench_nets::batch_suffix(samples), passes, [=](benchmark::State& state) {
    auto w = make_workload(net, samples);
    forward_backward(w);
    for (auto _ : state) run(w);
  });
}

/// A workload with 95 % of its weights pruned.
workload with_masks(std::string const& net, std::size_t samples) {
  auto w = make_workload(net, samples);
  w.masks = lnpt::prune<lnpt::random>(*w.model, {.budget = lnpt::sparsity{0.95}}).masks;
  return w;
}

/// What `work` adds at its peak. A pass of two samples before it loads the code and starts the threads.
void memory_row(std::string const& name, std::string const& net, workload (*make)(std::string const&, std::size_t), work run) {
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
  for (std::string const net : bench_nets::scored_networks) {
    auto const time = [&](char const* what, int passes, work run) {
      time_row(std::string("score/") + what, net, bench_nets::batch_size, passes, run);
    };
    time("snip", 2, score_with_labels<lnpt::snip>);
    time("feature_map_synaptic", 2, score_features);
    time("grasp", 1, score_with_labels<lnpt::grasp>);
    time("synflow_100_rounds", 1, synflow_in_100_rounds);
  }
  row("select/kthvalue/20000000", 1, [](auto& state) { kthvalue(state, 20'000'000); });
  memory_row("forward_backward", "vgg19", make_workload, forward_backward);
  memory_row("train", "vgg19", with_masks, train_plainly);
  memory_row("train_masked", "vgg19", with_masks, train_masked);
  return true;
}();

}  // namespace
