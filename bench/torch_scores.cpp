// What scoring a module of LibTorch costs, beside LibTorch's own forward and backward pass of the same batch of 100.
#include <benchmark/benchmark.h>
#include <torch/nn/functional/loss.h>

#include <functional>
#include <lnpt/torch.hpp>
#include <string>

#include "../tests/torch/modules.hpp"

namespace {

struct workload {
  std::shared_ptr<torch::nn::Module> module;
  std::function<at::Tensor(at::Tensor)> logits;
  std::unique_ptr<lnpt::torch_model<>> model;
  lnpt::labelled_batch<lnpt::torch_tensor<float>> batch;
  at::Tensor labels;
  lnpt::prediction<lnpt::torch_tensor<float>> taught;
};

template <class Module>
workload make_workload(std::shared_ptr<Module> module, std::function<at::Tensor(at::Tensor)> logits, std::int64_t width) {
  at::set_num_threads(2);
  at::manual_seed(0);
  constexpr std::int64_t samples = 100;
  auto const labels = at::randint(10, {samples}, at::kLong);
  return {module,
          std::move(logits),
          std::make_unique<lnpt::torch_model<>>(module),
          lnpt::torch_batch(at::randn({samples, 3, 32, 32}), labels),
          labels,
          {at::randn({samples, 10}), lnpt::torch_tensor<float>(at::rand({samples, width}))}};
}

workload resnet32() {
  auto const net = std::make_shared<torch_modules::resnet>(32, std::array<std::int64_t, 3>{32, 64, 128});
  return make_workload(net, [net](at::Tensor x) { return net->head(net->features(x)); }, 128);
}

workload vgg19() {
  auto const net = std::make_shared<torch_modules::vgg>(19, 64);
  return make_workload(net, [net](at::Tensor x) { return net->forward(x); }, 512);
}

/// The unit of the table: LibTorch's own.
void forward_backward(workload& w) {
  w.module->train();
  w.module->zero_grad();
  torch::nn::functional::cross_entropy(w.logits(w.batch.input.get()), w.labels).backward();
}

template <class Criterion>
void score_with_labels(workload& w) {
  benchmark::DoNotOptimize(lnpt::score<Criterion>(*w.model, w.batch, {}));
}

void score_features(workload& w) {
  lnpt::known_predictions const guide(w.taught);
  benchmark::DoNotOptimize(lnpt::score<lnpt::feature_map_synaptic<>>(*w.model, w.batch, guide, {}));
}

void synflow_in_100_rounds(workload& w) {
  benchmark::DoNotOptimize(lnpt::prune<lnpt::synflow>(*w.model, lnpt::shape{3, 32, 32}, {.budget = lnpt::sparsity{0.95}}));
}

void add(std::string const& name, workload (*make)(), void (*run)(workload&), int iterations) {
  benchmark::RegisterBenchmark(name.c_str(),
                               [=](benchmark::State& state) {
                                 auto w = make();
                                 forward_backward(w);  // the first pass sets LibTorch up
                                 for (auto _ : state) run(w);
                               })
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime()
      ->MeasureProcessCPUTime()
      ->Iterations(iterations);
}

bool const added = [] {
  struct net {
    char const* name;
    workload (*make)();
  };
  for (auto const& [name, make] : {net{"resnet32", resnet32}, net{"vgg19", vgg19}}) {
    auto const after = "/" + std::string(name);
    add("libtorch/forward_backward" + after, make, forward_backward, 3);
    add("libtorch/score/snip" + after, make, score_with_labels<lnpt::snip>, 3);
    add("libtorch/score/feature_map_synaptic" + after, make, score_features, 3);
    add("libtorch/score/grasp" + after, make, score_with_labels<lnpt::grasp>, 3);
    add("libtorch/score/synflow" + after, make, synflow_in_100_rounds, 1);
  }
  return true;
}();

}  // namespace
