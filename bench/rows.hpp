#pragma once
/// The benchmarks of an engine: what a pass costs, and what each criterion costs in units of it, at the sizes of the CIFAR papers.
#include <benchmark/benchmark.h>

#include <functional>
#include <string>
#include <utility>

#include <oneapi/tbb/global_control.h>

#include <lnpt/lnpt.hpp>

#include "nets.hpp"

namespace bench_nets {

using namespace lnpt;

inline constexpr std::size_t batch_size = 100;

/// One forward and one backward pass under cross-entropy: the unit of every other row.
template <class Backend>
void forward_backward(benchmark::State& state, std::string const& name, std::size_t samples, int threads) {
  oneapi::tbb::global_control const limit(oneapi::tbb::global_control::max_allowed_parallelism,
                                          static_cast<std::size_t>(threads));
  auto net = make<Backend>(name, 1);
  auto const batch = labelled(samples);
  for (auto _ : state) {
    auto const trace = net.forward(batch.input, {norm_mode::train});
    auto const slope = cross_entropy{}.cotangent(prediction_of(net, trace), target<array>{&batch.labels});
    benchmark::DoNotOptimize(net.backward(trace, slope, wanted::all));
  }
}

/// A criterion's scores, teacher outputs at hand.
template <class Criterion, class Backend>
void score_row(benchmark::State& state, std::string const& name) {
  auto net = make<Backend>(name, 1);
  auto teacher_net = make<Backend>(name, 2);
  auto const batch = labelled(batch_size);
  teacher const live(teacher_net);
  known_predictions const guide(live.predict(batch.input));
  for (auto _ : state) benchmark::DoNotOptimize(score<Criterion>(net, batch, guide, score_options{}));
}

/// SynFlow as published: 100 rounds on the exponential schedule, masks included.
template <class Backend>
void synflow_row(benchmark::State& state, std::string const& name) {
  auto net = make<Backend>(name, 1);
  for (auto _ : state) benchmark::DoNotOptimize(prune<synflow>(net, {3, 32, 32}, {.budget = sparsity{0.99}}));
}

inline void row(std::string const& name, std::function<void(benchmark::State&)> body) {
  benchmark::RegisterBenchmark(name.c_str(), std::move(body))
      ->UseRealTime()
      ->MeasureProcessCPUTime()
      ->Unit(benchmark::kMillisecond);
}

/// The rows that every provider of the primitives has, their names behind `prefix`.
template <class Backend>
void register_rows(std::string const& prefix) {
  for (std::string const net : {"resnet32", "vgg19", "mobilenet"}) {
    for (std::size_t const samples : {100, 8, 1}) {
      auto const suffix = samples == batch_size ? "" : "/batch:" + std::to_string(samples);
      row(prefix + "forward_backward/" + net + suffix, [=](auto& s) { forward_backward<Backend>(s, net, samples, 2); });
    }
  }
  for (std::string const net : {"resnet32", "vgg19"}) {
    row(prefix + "forward_backward/" + net + "/threads:1", [=](auto& s) { forward_backward<Backend>(s, net, batch_size, 1); });
    row(prefix + "score/snip/" + net, [=](auto& s) { score_row<snip, Backend>(s, net); });
    row(prefix + "score/feature_map_synaptic/" + net, [=](auto& s) { score_row<feature_map_synaptic<>, Backend>(s, net); });
    row(prefix + "score/grasp/" + net, [=](auto& s) { score_row<grasp, Backend>(s, net); });
    row(prefix + "score/hessian_gradient/" + net,
        [=](auto& s) { score_row<feature_map_synaptic<hessian_gradient>, Backend>(s, net); });
    row(prefix + "score/synflow_100_rounds/" + net, [=](auto& s) { synflow_row<Backend>(s, net); });
  }
}

}  // namespace bench_nets
