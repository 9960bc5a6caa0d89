/// Certificates of large networks at 30, 50, 70 and 90 % of the channels, in float and double.
#include <doctest/doctest.h>

#include <lnpt/structure/recalibrate.hpp>
#include <lnpt/structure/shrink.hpp>
#include <lnpt/zoo/mobilenet.hpp>
#include <lnpt/zoo/resnet.hpp>
#include <lnpt/zoo/vgg.hpp>

#include "nets.hpp"

using namespace lnpt;

namespace {

/// Every network at every fraction, each of another seed; on inputs that shrink() never saw too.
template <class T>
void sweep(char const* name, test::cpu_network<T> network, shape const& input) {
  CAPTURE(name);
  auto extents = input;
  extents.insert(extents.begin(), 2);
  auto const batch = test::images<T>(extents, 11);
  recalibrate(network, std::span(&batch, 1));
  auto const map = channel_map_of(network, input);
  for (std::uint64_t seed = 0; auto const fraction : {0.3, 0.5, 0.7, 0.9}) {
    CAPTURE(fraction);
    auto const masks = masks_of(map.set, test::drawn(map.set, fraction, ++seed));
    auto result = shrink(network, masks, batch);
    CHECK(result.left_whole.size() == map.set.whole.size());
    CHECK(result.certificate.holds());
    auto masked = network;
    apply(masks, masked);
    auto const fresh = test::images<T>(extents, 100 + seed);
    CHECK(compare_outputs(masked.predict(fresh).output, result.model.predict(fresh).output).holds());
  }
}

template <class T>
test::cpu_network<T> joined() {
  network_builder<cpu::backend<T>> net(3);
  auto a = net.batch_norm("bn1", net.conv2d("a", net.input(), 24), true);
  for (int i = 0; i < 4; ++i) {  // dense blocks: each reads all before it
    auto const name = "block." + std::to_string(i);
    a = net.concat({a, net.batch_norm(name + ".bn", net.conv2d(name + ".conv", a, 12), true)});
  }
  net.classifier("fc", net.relu(net.linear("hidden", net.flatten(net.max_pool(a, 4, 4)), 32, 72 * 16)), 10);
  return std::move(net).build();
}

template <class T>
void sweep_all() {
  using backend = cpu::backend<T>;
  shape const images{3, 32, 32};
  sweep<T>("ResNet-56, option A",
           zoo::resnet<backend>({.depth = 56, .widths = {16, 32, 64}, .shortcut = zoo::shortcut::zero_padded}), images);
  sweep<T>("VGG-16", zoo::vgg<backend>({.depth = 16}), images);
  sweep<T>("MobileNet", zoo::mobilenet<backend>(), images);
  sweep<T>("dense blocks", joined<T>(), {3, 16, 16});
}

}  // namespace

TEST_CASE("smaller networks equal their masks to 1e-12 of the largest logit in double") { sweep_all<double>(); }

TEST_CASE("and to 1e-5 in float") { sweep_all<float>(); }
