/// The CPU engine: forward+backward, each criterion, what they take in memory, and a training step beside a copy of what it touches.
#include <memory>
#include <utility>

#include <lnpt/train/masked_sgd.hpp>

#include "peak_memory.hpp"
#include "rows.hpp"

namespace {

using namespace bench_nets;

/// The masked SGD step over all parameters.
void train_step_row(benchmark::State& state, std::string const& name) {
  auto net = make<>(name, 1);
  auto const masks = prune<lnpt::random>(net, {.budget = sparsity{0.95}}).masks;
  masked_sgd<cpu::backend<float>> sgd(net, masks);
  gradients<array> g;
  for (auto const& p : net.parameters()) g.emplace_back(*p.value);
  time_passes(state, [&] { sgd.step(net, g, {.learning_rate = 1e-4, .momentum = 0.9, .weight_decay = 5e-4}); });
}

/// Its rival: copying weights, gradients and momentum.
void train_copy_row(benchmark::State& state, std::string const& name) {
  auto net = make<>(name, 1);
  std::vector<array> from, to;
  for (int k = 0; k < 3; ++k)
    for (auto const& p : net.parameters()) from.push_back(*p.value);
  to = from;
  time_passes(state, [&] {
    for (std::size_t i = 0; i < from.size(); ++i)
      cpu::for_chunks(from[i].size(), cpu::streaming_grain, [&](std::size_t begin, std::size_t end) {
        std::copy(from[i].data() + begin, from[i].data() + end, to[i].data() + begin);
      });
  });
}

/// What `pass(net, batch, guide)` adds at its peak. A pass of a small network before it loads the code and starts the threads, and
/// leaves no memory behind.
template <class Pass>
void memory_row(std::string const& what, std::string const& name, Pass pass) {
  peak_memory::row("memory/" + what + '/' + name, [=] {
    {
      auto small = zoo::vgg<cpu::backend<float>>({.depth = 11, .width = 4}, 1);
      pass(small, labelled_noise(2), teacher_prediction(small, 2));
    }
    cpu::release_cached_memory();
    auto net = std::make_shared<network<cpu::backend<float>>>(make<>(name, 1));
    auto batch = labelled_noise(batch_size);
    auto guide = teacher_prediction(*net, batch_size);
    return [=, batch = std::move(batch), guide = std::move(guide)] { pass(*net, batch, guide); };
  });
}

template <class Criterion>
void score_memory_row(std::string const& what, std::string const& name) {
  memory_row("score/" + what, name, [](auto& net, auto const& batch, auto const& guide) {
    benchmark::DoNotOptimize(score<Criterion>(net, batch, guide, score_options{}));
  });
}

bool const registered = [] {
  register_passes<cpu::backend<float>>("");
  for (std::string const net : scored_networks) {
    row("forward_backward/" + net + "/threads:1", 2,
        [=](auto& state) { forward_backward_row<cpu::backend<float>>(state, net, batch_size, 1); });
    row("score/snip/" + net, 2, [=](auto& state) { score_row<snip>(state, net); });
    row("score/feature_map_synaptic/" + net, 2, [=](auto& state) { score_row<feature_map_synaptic<>>(state, net); });
    row("score/grasp/" + net, 1, [=](auto& state) { score_row<grasp>(state, net); });
    row("score/hessian_gradient/" + net, 1, [=](auto& state) { score_row<feature_map_synaptic<hessian_gradient>>(state, net); });
    row("score/synflow_100_rounds/" + net, 1, [=](auto& state) { synflow_row(state, net); });
    row("train_step/" + net, 40, [=](auto& state) { train_step_row(state, net); });
    row("memcpy/train_step/" + net, 40, [=](auto& state) { train_copy_row(state, net); });
  }
  for (std::string const net : mobile_networks) {
    row("forward_backward/" + net, 4, [=](auto& state) { mobile_row(state, net); });
    row("score/snip/" + net, 2, [=](auto& state) { score_row<snip>(state, net); });
    row("score/feature_map_synaptic/" + net, 2, [=](auto& state) { score_row<feature_map_synaptic<>>(state, net); });
  }
  memory_row("forward_backward", "vgg19",
             [](auto& net, auto const& batch, auto const&) { benchmark::DoNotOptimize(forward_backward(net, batch)); });
  score_memory_row<snip>("snip", "vgg19");
  score_memory_row<feature_map_synaptic<>>("feature_map_synaptic", "vgg19");
  score_memory_row<grasp>("grasp", "vgg19");
  return true;
}();

}  // namespace
