#pragma once
/// The benchmarks of an engine: what a pass costs, and what each criterion costs in units of it, at the sizes of the CIFAR papers.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <functional>
#include <string>
#include <utility>

#include <oneapi/tbb/global_control.h>

#include <lnpt/core/model_access.hpp>
#include <lnpt/lnpt.hpp>

#include "nets.hpp"

namespace bench_nets {

using namespace lnpt;

/// A row of `passes` timed passes: a fixed number, so that a run takes the same time everywhere.
inline void row(std::string const& name, int passes, std::function<void(benchmark::State&)> body) {
  benchmark::RegisterBenchmark(name.c_str(), std::move(body))
      ->Iterations(passes)
      ->UseRealTime()
      ->MeasureProcessCPUTime()
      ->Unit(benchmark::kMillisecond);
}

/// Times `pass` after one untimed call, which allocates.
template <class Pass>
void time_passes(benchmark::State& state, Pass const& pass) {
  pass();
  for (auto _ : state) pass();
}

/// One forward and one backward pass under cross-entropy: the unit of every other row.
template <class Backend>
auto forward_backward(network<Backend>& net, labelled_batch<array> const& batch) {
  auto trace = net.forward(batch.input, {norm_mode::train});
  auto const slope = cross_entropy{}.cotangent(prediction_of(net, trace), target<array>{&batch.labels});
  return net.backward(std::move(trace), slope, which_gradients::all);
}

template <class Backend>
void forward_backward_row(benchmark::State& state, std::string const& name, std::size_t samples, std::size_t threads) {
  oneapi::tbb::global_control const limit(oneapi::tbb::global_control::max_allowed_parallelism, threads);
  auto net = make<Backend>(name, 1);
  auto const batch = labelled_noise(samples);
  time_passes(state, [&] { benchmark::DoNotOptimize(forward_backward(net, batch)); });
}

/// The batch that a network is scored on.
inline labelled_batch<array> batch_for(std::string const& name) {
  bool const mobile = std::ranges::find(mobile_networks, name) != mobile_networks.end();
  return mobile ? labelled_noise(mobile_batch, mobile_side, mobile_classes) : labelled_noise(batch_size);
}

/// One pass over that batch.
inline void mobile_row(benchmark::State& state, std::string const& name) {
  auto net = make<>(name, 1);
  auto const batch = batch_for(name);
  time_passes(state, [&] { benchmark::DoNotOptimize(forward_backward(net, batch)); });
}

/// A criterion's scores, teacher outputs at hand.
template <class Criterion>
void score_row(benchmark::State& state, std::string const& name) {
  auto net = make<>(name, 1);
  auto const batch = batch_for(name);
  auto const guide = teacher_prediction(net, batch.labels.size());
  time_passes(state, [&] { benchmark::DoNotOptimize(score<Criterion>(net, batch, guide, score_options{})); });
}

/// SynFlow as published: 100 rounds on the exponential schedule, masks included.
inline void synflow_row(benchmark::State& state, std::string const& name) {
  auto net = make<>(name, 1);
  for (auto _ : state) benchmark::DoNotOptimize(prune<synflow>(net, {3, 32, 32}, {.budget = sparsity{0.99}}));
}

/// The rows that every provider of the primitives has, their names behind `prefix`.
template <class Backend>
void register_passes(std::string const& prefix) {
  for (std::string const net : networks)
    for (auto const& [samples, passes] : batches)
      row(prefix + "forward_backward/" + net + batch_suffix(samples), passes,
          [=, samples = samples](auto& state) { forward_backward_row<Backend>(state, net, samples, 2); });
}

}  // namespace bench_nets
