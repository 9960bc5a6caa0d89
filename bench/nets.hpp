#pragma once
/// The networks and batches that the benchmarks run on.
#include <string>

#include <lnpt/lnpt.hpp>

namespace bench_nets {

using array = lnpt::cpu::array<float>;

/// ResNet-32 of the pruning papers (32/64/128), VGG-19 and MobileNet-v1, for CIFAR.
template <class Backend = lnpt::cpu::backend<float>>
lnpt::network<Backend> make(std::string const& name, std::uint64_t seed) {
  if (name == "resnet32") return lnpt::zoo::resnet<Backend>({.depth = 32, .widths = {32, 64, 128}}, seed);
  if (name == "vgg19") return lnpt::zoo::vgg<Backend>({.depth = 19}, seed);
  if (name == "mobilenet") return lnpt::zoo::mobilenet<Backend>({}, seed);
  lnpt::fail("no bench network is called ", name);
}

/// Normal pixels and cycling labels.
inline lnpt::labelled_batch<array> labelled(std::size_t samples) {
  auto input = lnpt::cpu::uninitialized<float>({samples, 3, 32, 32});
  for (std::size_t i = 0; i < input.size(); ++i) input.data()[i] = static_cast<float>(lnpt::normal(7, i).first);
  std::vector<std::int64_t> labels(samples);
  for (std::size_t i = 0; i < samples; ++i) labels[i] = static_cast<std::int64_t>(i % 10);
  return {std::move(input), std::move(labels)};
}

}  // namespace bench_nets
