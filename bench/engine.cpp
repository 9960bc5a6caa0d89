/// The CPU engine: forward+backward, each criterion, and a training step beside its rival, a copy of the same memory.
#include <lnpt/train/masked_sgd.hpp>

#include "rows.hpp"

namespace {

using namespace lnpt;
using bench_nets::array, bench_nets::make, bench_nets::row;

/// The masked SGD step over all parameters.
void train_step_row(benchmark::State& state, std::string const& name) {
  auto net = make<>(name, 1);
  auto const masks = prune<lnpt::random>(net, {.budget = sparsity{0.95}}).masks;
  masked_sgd<float> sgd(net, masks);
  gradients<array> g;
  for (auto const& p : net.parameters()) g.emplace_back(*p.value);
  for (auto _ : state) sgd.step(net, g, {.learning_rate = 1e-4, .momentum = 0.9, .weight_decay = 5e-4});
}

/// Its rival: copying weights, gradients and momentum.
void train_copy_row(benchmark::State& state, std::string const& name) {
  auto net = make<>(name, 1);
  std::vector<array> from, to;
  for (int k = 0; k < 3; ++k)
    for (auto const& p : net.parameters()) from.push_back(*p.value);
  to = from;
  for (auto _ : state)
    for (std::size_t i = 0; i < from.size(); ++i)
      cpu::for_chunks(from[i].size(), cpu::streaming_grain, [&](std::size_t begin, std::size_t end) {
        std::copy(from[i].data() + begin, from[i].data() + end, to[i].data() + begin);
      });
}

bool const registered = [] {
  bench_nets::register_rows<cpu::backend<float>>("");
  for (std::string const net : {"resnet32", "vgg19"}) {
    row("train_step/" + net, [=](auto& s) { train_step_row(s, net); });
    row("memcpy/train_step/" + net, [=](auto& s) { train_copy_row(s, net); });
  }
  return true;
}();

}  // namespace
