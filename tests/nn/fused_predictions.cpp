/// Predictions whose convolutions go on with what follows them, against the same network layer by layer.
#include <functional>
#include <utility>

#include <doctest/doctest.h>

#include <lnpt/core/random.hpp>
#include <lnpt/lnpt.hpp>

#include "../backend/every_layer.hpp"

using namespace lnpt;

namespace {

/// The CPU backend, which counts its fused convolutions.
template <class T>
struct counting : cpu::backend<T> {
  using array = cpu::array<T>;
  static inline std::size_t fused = 0;

  static array fused_conv2d(array const& x, auto const& w, cpu::conv_geometry const& g, cpu::epilogue<T> const& after) {
    ++fused;
    return cpu::backend<T>::fused_conv2d(x, w, g, after);
  }
};

/// The CPU backend without them.
struct unfused : cpu::backend<double> {
  static void fused_conv2d() = delete;
};

using backend = counting<double>;
using array = cpu::array<double>;
using builder = network_builder<backend>;

static_assert(backend_fused_convolution<backend> && !backend_fused_convolution<unfused>);

/// Running statistics, scales and shifts that are not those of a network just made.
template <class Network>
void unsettle(Network& net) {
  auto const draw = [](auto const& all) {
    for (auto const& p : all)
      if (!is_prunable(p.role))
        for (std::size_t i = 0; i < p.value->size(); ++i)
          p.value->data()[i] = static_cast<value_type<tensor_of<Network>>>(0.2 + uniform(p.name.size(), i));
  };
  draw(net.parameters());
  draw(net.buffers());
}

/// How many convolutions a prediction fused, after a look at its bits: those of the network layer by layer, for outputs and features. So are
/// a trace's, whose sums take in batch norm.
template <class Network>
std::size_t fused_in(Network const& net, tensor_of<Network> const& x, normalization const& norm = {}) {
  prediction<tensor_of<Network>> layer_by_layer;
  net.watch(x, norm, [&](std::size_t node, auto const& output) {
    if (node == net.features_node()) layer_by_layer.features = output;
    layer_by_layer.output = output;
  });
  using counted = typename Network::backend;
  counted::fused = 0;
  auto const predicted = net.predict(x, norm);
  auto const count = std::exchange(counted::fused, 0);
  CHECK(predicted.output == layer_by_layer.output);
  CHECK(*predicted.features == *layer_by_layer.features);
  auto const trace = net.forward(x, norm);
  CHECK(trace.output() == layer_by_layer.output);
  CHECK(trace.features() == *layer_by_layer.features);
  return count;
}

/// The same of what `build(network, input)` gives, with a classifier behind it.
std::size_t fused_in(std::function<std::size_t(builder&, std::size_t)> const& build, normalization const& norm = {}) {
  builder b(3, 5);
  auto const last = build(b, b.input());
  b.classifier("fc", b.global_average_pool(last), 4);
  auto net = std::move(b).build();
  unsettle(net);
  return fused_in(net, random_tensor<array>({3, 3, 9, 8}, 2), norm);
}

}  // namespace

TEST_CASE_TEMPLATE("every convolution of a residual network is fused, its sums and rectifiers too", T, float, double) {
  for (auto const kind : {zoo::shortcut::convolution, zoo::shortcut::zero_padded}) {
    auto net = zoo::resnet<counting<T>>({.depth = 8, .widths = {8, 16, 24}, .shortcut = kind}, 1);
    unsettle(net);
    std::size_t const convolutions = kind == zoo::shortcut::convolution ? 9 : 7;
    CHECK(fused_in(net, random_tensor<cpu::array<T>>({5, 3, 16, 16}, 2)) == convolutions);
    CHECK(fused_in(net, random_tensor<cpu::array<T>>({1, 3, 16, 16}, 2)) == convolutions);
  }
  auto net = zoo::vgg<counting<T>>({.depth = 11, .width = 8}, 1);
  unsettle(net);
  CHECK(fused_in(net, random_tensor<cpu::array<T>>({2, 3, 32, 32}, 2)) == 8);
}

TEST_CASE("so are those that multiply by kept weights, held or skipping what is pruned") {
  for (double const density : {0.0, 0.03, 0.3}) {
    auto net = zoo::resnet<backend>({.depth = 8, .widths = {8, 16, 24}}, 1);
    unsettle(net);
    mask_set masks;
    for (auto const& p : net.parameters())
      if (is_prunable(p.role)) {
        mask kept(p.name, lnpt::shape_of(*p.value), false);
        for (std::size_t i = 0; i < kept.size(); ++i) kept.set(i, uniform(7, p.name.size(), i) < density);
        masks.add(std::move(kept));
      }
    apply(masks, net);
    auto const x = random_tensor<array>({12, 3, 16, 16}, 2);
    auto skipping = net;
    net.keep_only(masks, execution::sparse);
    CHECK(fused_in(net, x) == 9);
    skipping.skip_pruned(masks, execution::sparse);
    CHECK(fused_in(skipping, x) == 9);
  }
}

TEST_CASE("constants of any origin are fused, statistics of the batch are not") {
  auto net = zoo::resnet<backend>({.depth = 8, .widths = {8, 16, 24}}, 1);
  auto const x = random_tensor<array>({6, 3, 16, 16}, 2);
  CHECK(fused_in(net, x, net.freeze(std::span(&x, 1))) == 9);
  CHECK(fused_in(net, x, {norm_mode::frozen}) == 0);
  CHECK(fused_in(net, x, {norm_mode::train}) == 0);
}

TEST_CASE("what follows a convolution is fused where nobody else reads what lies between") {
  SUBCASE("a bias alone") {
    CHECK(fused_in([](builder& b, auto x) { return b.conv2d("c", x, 6, {.bias = true}); }) == 1);
    CHECK(fused_in([](builder& b, auto x) { return b.conv2d("c", x, 6, {.bias = true}); }, {norm_mode::train}) == 1);
  }
  SUBCASE("a rectifier, with a bias and without; a sum; nothing") {
    CHECK(fused_in([](builder& b, auto x) { return b.relu(b.conv2d("c", x, 6, {.bias = true})); }) == 1);
    CHECK(fused_in([](builder& b, auto x) { return b.relu(b.conv2d("c", x, 6)); }) == 1);
    CHECK(fused_in([](builder& b, auto x) { return b.join(x, b.conv2d("c", x, 3)); }) == 1);
    CHECK(fused_in([](builder& b, auto x) { return b.conv2d("c", x, 6); }) == 0);
  }
  SUBCASE("a bias before batch norm, which stays a pass of its own") {
    CHECK(fused_in([](builder& b, auto x) { return b.batch_norm("n", b.conv2d("c", x, 6, {.bias = true}), true); }) == 1);
  }
  SUBCASE("batch norm without scale and shift, then a sum with what was there before, then a rectifier of its own") {
    CHECK(fused_in([](builder& b, auto x) {
            auto const first = b.conv2d("a", x, 6, {.bias = true});
            return b.relu(b.join(first, b.batch_norm("n", b.conv2d("c", first, 6), false, false)));
          }) == 2);
  }
  SUBCASE("depthwise and grouped") {
    CHECK(fused_in([](builder& b, auto x) {
            auto const first = b.batch_norm("m", b.conv2d("a", x, 6), true);
            auto const second = b.batch_norm("n", b.conv2d("b", first, 6, {.stride = 2, .groups = 6}), true);
            return b.batch_norm("o", b.conv2d("c", second, 6, {.groups = 3}));
          }) == 3);
  }
  SUBCASE("a convolution that two read") {
    CHECK(fused_in([](builder& b, auto x) {
            auto const first = b.conv2d("a", x, 6);
            return b.join(b.batch_norm("n", first), first);
          }) == 0);
  }
  SUBCASE("batch norm that two read: the chain ends there") {
    CHECK(fused_in([](builder& b, auto x) {
            auto const first = b.batch_norm("n", b.conv2d("a", x, 6));
            return b.join(b.relu(first), first);
          }) == 1);
  }
  SUBCASE("a sum of a node with itself") {
    CHECK(fused_in([](builder& b, auto x) {
            auto const first = b.conv2d("a", x, 6, {.bias = true});
            return b.join(first, first, true);
          }) == 1);
  }
  SUBCASE("a sum whose other summand comes later, whichever is named first") {
    for (bool const swapped : {true, false})
      CHECK(fused_in([swapped](builder& b, auto x) {
              auto const first = b.conv2d("a", x, 6), second = b.conv2d("b", x, 6);
              auto const m = b.batch_norm("m", first), n = b.batch_norm("n", second);
              return swapped ? b.join(n, m, true) : b.join(m, n, true);
            }) == 2);
  }
  SUBCASE("a sum that stretches either summand is left to its layers") {
    CHECK(fused_in([](builder& b, auto x) {
            auto const shift = b.leaf("shift", {6, 1, 1, 1}, 0.25);
            return b.join(b.batch_norm("n", b.conv2d("a", x, 6)), shift, true);
          }) == 0);
    CHECK(fused_in([](builder& b, auto x) {
            auto const whole = b.batch_norm("m", b.conv2d("a", x, 6));
            return b.join(b.batch_norm("n", b.conv2d("b", x, 1)), whole, true);
          }) == 1);
  }
}

TEST_CASE("features and outputs that lie within a chain are stored") {
  auto const x = random_tensor<array>({3, 3, 9, 8}, 2);
  for (std::size_t const features : {1, 2, 3}) {
    builder b(3, 5);
    auto const sum = b.join(b.batch_norm("n", b.conv2d("c", b.input(), 3)), b.input(), true);
    CHECK(sum == 3);
    b.flatten(sum);
    auto net = std::move(b).build();
    net.set_features(features);
    unsettle(net);
    CHECK(fused_in(net, x) == (features == 1 ? 0 : 1));
  }
  builder b(3, 5);
  b.batch_norm("n", b.conv2d("c", b.input(), 3), true);  // the network's output
  auto net = std::move(b).build();
  net.set_features(2);
  CHECK(fused_in(net, x) == 1);
}

TEST_CASE("a network with every layer predicts what it computes layer by layer, and so does a backend that fuses nothing") {
  auto net = every_layer<backend>();
  auto plain = every_layer<unfused>();
  unsettle(net);
  unsettle(plain);
  auto const x = random_tensor<array>({4, 3, 6, 6}, 2);
  CHECK(fused_in(net, x) == 2);  // conv1 with its bias; conv2 with batch norm and the sum
  CHECK(net.predict(x).output == plain.predict(x).output);
}

TEST_CASE("a refusal names the convolution, fused or not") {
  auto const net = zoo::resnet<backend>({.depth = 8, .widths = {8, 16, 24}}, 1);
  CHECK_THROWS_WITH_AS((void)net.predict(random_tensor<array>({2, 4, 16, 16}, 2)), doctest::Contains("layer conv1: conv2d: "),
                       error);
  builder b(3, 5);
  b.classifier("fc", b.global_average_pool(b.join(b.batch_norm("n", b.conv2d("c", b.input(), 3, {.stride = 0})), b.input())), 4);
  auto const still = std::move(b).build();
  CHECK_THROWS_WITH_AS((void)still.predict(random_tensor<array>({2, 3, 6, 6}, 2)), doctest::Contains("layer c: conv2d: "), error);
}
