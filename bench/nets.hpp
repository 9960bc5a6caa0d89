#pragma once
/// The networks and batches that the benchmarks run on.
#include <string>
#include <vector>

#include <lnpt/lnpt.hpp>

#include "mobile_nets.hpp"
#include "sizes.hpp"

namespace bench_nets {

using array = lnpt::cpu::array<float>;

/// ResNet-32 of the pruning papers (32/64/128), VGG-19 and MobileNet-v1, for CIFAR; and torchvision's.
template <class Backend = lnpt::cpu::backend<float>>
lnpt::network<Backend> make(std::string const& name, std::uint64_t seed) {
  if (name == "resnet32") return lnpt::zoo::resnet<Backend>({.depth = 32, .widths = {32, 64, 128}}, seed);
  if (name == "vgg19") return lnpt::zoo::vgg<Backend>({.depth = 19}, seed);
  if (name == "mobilenet") return lnpt::zoo::mobilenet<Backend>({}, seed);
  if (name == "mobilenet_v2") return mobile_nets<Backend>(seed).mobilenet_v2();
  if (name == "densenet121") return mobile_nets<Backend>(seed).densenet121();
  if (name == "shufflenet_v2") return mobile_nets<Backend>(seed).shufflenet_v2();
  lnpt::fail("no bench network is called ", name);
}

/// Normal numbers.
inline array noise(lnpt::shape const& extents, std::uint64_t seed) {
  auto values = lnpt::cpu::uninitialized<float>(extents);
  for (std::size_t i = 0; i < values.size(); ++i) values.data()[i] = static_cast<float>(lnpt::normal(seed, i).first);
  return values;
}

/// Normal pixels and cycling labels.
inline lnpt::labelled_batch<array> labelled_noise(std::size_t samples, std::size_t side = 32, std::size_t classes = 10) {
  std::vector<std::int64_t> labels(samples);
  for (std::size_t i = 0; i < samples; ++i) labels[i] = static_cast<std::int64_t>(i % classes);
  return {noise({samples, 3, side, side}, 7), std::move(labels)};
}

/// What some teacher said of as many samples: no network runs for it.
inline lnpt::known_predictions<array> teacher_prediction(lnpt::network<lnpt::cpu::backend<float>>& net, std::size_t samples) {
  auto const classifier = lnpt::shape_of(*(net.parameters().end() - 2)->value);
  return lnpt::known_predictions<array>({noise({samples, classifier[0]}, 8), noise({samples, classifier[1]}, 9)});
}

}  // namespace bench_nets
