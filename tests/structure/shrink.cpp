/// Smaller networks against the masks they stand for, on inputs that shrink() never saw.
#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <limits>

#include <lnpt/mask/apply.hpp>
#include <lnpt/structure/shrink.hpp>
#include <lnpt/zoo/mobilenet.hpp>
#include <lnpt/zoo/resnet.hpp>
#include <lnpt/zoo/vgg.hpp>

#include "nets.hpp"

using namespace lnpt;
using test::builder;
using test::images;
using net64 = test::cpu_network<double>;

namespace {

template <class Network>
std::size_t parameters_in(Network& network) {
  std::size_t count = 0;
  for (auto const& p : network.parameters()) count += p.value->size();
  return count;
}

template <class T>
bool same_state(test::cpu_network<T> a, test::cpu_network<T> b) {
  auto const same = [](auto const& x, auto const& y) {
    return std::ranges::equal(x, y, [](auto const& p, auto const& q) { return p.name == q.name && *p.value == *q.value; });
  };
  return same(a.parameters(), b.parameters()) && same(a.buffers(), b.buffers());
}

/// The largest difference of the logits on fresh inputs, over the largest logit of the masked network.
template <class T>
double distance(test::cpu_network<T> model, mask_set const& masks, test::cpu_network<T>& smaller, shape extents) {
  apply(masks, model);
  extents[0] = 5;
  return compare_outputs(model.predict(images<T>(extents, 77)).output, smaller.predict(images<T>(extents, 77)).output).relative();
}

struct net_case {
  char const* name;
  shape input;
  std::function<net64()> make;
};

std::vector<net_case> cases() {
  return {{"residual, option A",
           {4, 3, 8, 8},
           [] {
             return zoo::resnet<cpu::backend<double>>({.depth = 8, .widths = {6, 9, 14}, .shortcut = zoo::shortcut::zero_padded});
           }},
          {"residual, convolutions",
           {4, 3, 8, 8},
           [] { return zoo::resnet<cpu::backend<double>>({.depth = 8, .widths = {6, 8, 10}}); }},
          {"gates, shuffle, slices, every activation", {4, 3, 8, 8}, [] { return test::of_every_layer<cpu::backend<double>>(); }},
          {"depthwise", {2, 3, 32, 32}, [] { return zoo::mobilenet<cpu::backend<double>>({.width = 4}); }},
          {"concat, groups, flatten, pools", {4, 3, 8, 8}, [] {
             builder net(3);
             auto const a = net.batch_norm("bn", net.conv2d("a", net.input(), 6), true);
             auto const b = net.relu(net.conv2d("b", a, 8, {.groups = 2, .bias = true}));
             auto const both = net.concat({net.max_pool(a, 2, 2), net.average_pool(b, 2, 2), net.max_pool(a, 3, 2, 1)});
             net.classifier("fc", net.relu(net.linear("hidden", net.flatten(both), 7, 20 * 16)), 4);
             return std::move(net).build();
           }}};
}

}  // namespace

TEST_CASE("a network without its masked channels equals its mask") {
  for (auto const& each : cases()) {
    CAPTURE(each.name);
    auto network = test::trained(each.make());
    auto const original = network;
    auto const map = channel_map_of(network, {each.input.begin() + 1, each.input.end()});
    for (auto const fraction : {0.3, 0.9}) {
      auto const removed = test::drawn(map.set, fraction, 3);
      auto const masks = masks_of(map.set, removed);
      auto result = shrink(network, masks, images(each.input, 1));
      CHECK(same_state(network, original));
      CHECK(result.left_whole.size() == map.set.whole.size());
      CHECK(result.certificate.relative() <= 1e-12);
      CHECK(result.certificate.inputs == each.input[0]);
      CHECK(distance(network, masks, result.model, each.input) <= 1e-12);
      CHECK(parameters_in(result.model) < parameters_in(network));
      for (auto const& p : result.model.parameters())
        if (auto const* const kept = result.masks.find(p.name))
          CHECK((kept->extents() == shape_of(*p.value) && kept->count() == kept->size()));
    }
  }
}

TEST_CASE("in float to rounding") {
  auto network = test::trained(zoo::vgg<cpu::backend<float>>({.depth = 11, .width = 4}));
  auto const map = channel_map_of(network, {3, 32, 32});
  auto const masks = masks_of(map.set, test::drawn(map.set, 0.5, 9));
  auto result = shrink(network, masks, images<float>({2, 3, 32, 32}, 1));
  CHECK(result.certificate.holds());
  CHECK(distance(network, masks, result.model, {2, 3, 32, 32}) <= 1e-5);
}

TEST_CASE("kept indices narrow what belongs to a parameter, such as its momentum") {
  builder net(2);
  net.classifier("fc", net.relu(net.linear("a", net.input(), 3)), 2);
  auto network = std::move(net).build();
  auto const map = channel_map_of(network, {2});
  auto const result = shrink(network, masks_of(map.set, {0, 1, 0}), images({4, 2}, 1));
  auto const momentum = tensor_traits<cpu::array<double>>::make({3, 2}, std::vector<double>{1, 2, 3, 4, 5, 6});
  CHECK(narrowed(momentum, result.kept.at("a.weight")) ==
        tensor_traits<cpu::array<double>>::make({2, 2}, std::vector<double>{1, 2, 5, 6}));
  CHECK(result.kept.at("fc.weight").at(1) == std::vector<std::size_t>{0, 2});
}

namespace {

/// conv → batch norm with β ≠ 0 → ReLU → `reader`, its first two filters masked, as a mask of weights alone leaves them.
struct speaking {
  net64 network;
  mask_set masks;

  template <class Reader>
  explicit speaking(Reader const& reader, double shift = 0.7) : network(make(reader)) {
    network = test::trained(network);
    for (auto const& p : network.parameters())
      if (p.name == "bn.bias") std::fill(p.value->begin(), p.value->end(), shift);
    for (auto const& b : network.buffers()) std::fill(b.value->begin(), b.value->end(), b.role == role::running_mean ? 0.0 : 1.0);
    mask kept("a.weight", {4, 3, 3, 3}, true);
    for (std::size_t i = 0; i < 2 * 27; ++i) kept.set(i, false);
    masks.add(kept);
  }
  template <class Reader>
  static net64 make(Reader const& reader) {
    builder net(3);
    auto const x = net.batch_norm("bn", net.conv2d("a", net.input(), 4), true);
    net.classifier("fc", net.global_average_pool(reader(net, x)), 3);
    return std::move(net).build();
  }
};

auto const padded = [](builder& net, auto x) { return net.conv2d("b", x, 3); };
auto const unpadded = [](builder& net, auto x) { return net.conv2d("b", x, 3, {.padding = 0}); };

}  // namespace

TEST_CASE("a constant goes into the bias of an unpadded reader, and never into that of a padded one") {
  for (std::size_t const side : {4, 8, 32}) {
    CAPTURE(side);
    shape const extents{2, 3, side, side};
    speaking open(unpadded), linear([](builder&, auto x) { return x; }), closed(padded), silent(padded, -0.7);

    for (auto* const each : {&open, &linear}) {
      auto result = shrink(each->network, each->masks, images(extents, 1));
      CHECK(distance(each->network, each->masks, result.model, extents) <= 1e-12);
      CHECK(result.left_whole.size() == 1);
      CHECK(shape_of(*result.model.parameters().front().value).front() == 2);
    }

    auto whole = shrink(closed.network, closed.masks, images(extents, 1));
    CHECK(parameters_in(whole.model) == parameters_in(closed.network));
    CHECK(std::ranges::any_of(whole.left_whole,
                              [](auto const& w) { return w.reason.find("padded convolution") != w.reason.npos; }));

    auto one = shrink(closed.network, closed.masks, images(extents, 1), {.constant_channel = true});
    CHECK(shape_of(*one.model.parameters().front().value).front() == 3);
    CHECK(distance(closed.network, closed.masks, one.model, extents) <= 1e-12);

    auto gone = shrink(silent.network, silent.masks, images(extents, 1));  // ReLU makes it 0
    CHECK(shape_of(*gone.model.parameters().front().value).front() == 2);
    CHECK(distance(silent.network, silent.masks, gone.model, extents) <= 1e-12);
  }
}

TEST_CASE("folding the constant into a padded reader's bias would be wrong at the border: why it stays") {
  speaking closed(padded);
  auto masked = closed.network;
  apply(closed.masks, masked);
  auto const map = channel_map_of(masked, {3, 8, 8});
  std::vector<char> const first{1, 1, 0, 0};
  auto const x = images({2, 3, 8, 8}, 4);
  auto const constants = constants_at(masked, {2}, {x});
  detail::constant_plan plan;
  plan.folded[3] = {constants.at(2)[0].value(), constants.at(2)[1].value(), 0, 0};
  auto const folded = without(masked, map, first, detail::amounts_of(masked, map, plan, first));
  CHECK(compare_outputs(masked.predict(x).output, folded.predict(x).output).relative() > 1e-2);
}

TEST_CASE("what differs from place to place stays whole") {
  speaking uneven([](builder& net, auto x) { return net.conv2d("b", net.average_pool(x, 3, 1, 1), 3, {.padding = 0}); });
  auto const result = shrink(uneven.network, uneven.masks, images({2, 3, 8, 8}, 1));
  CHECK(std::ranges::any_of(result.left_whole,
                            [](auto const& w) { return w.name == "a.weight" && w.reason.find("positions") != w.reason.npos; }));
}

TEST_CASE("single weights that empty channels shrink too, and the paths behind them") {
  builder net(2);
  auto const a = net.relu(net.linear("a", net.input(), 3)), b = net.relu(net.linear("b", a, 3));
  net.classifier("fc", b, 2);
  auto network = test::trained(std::move(net).build());
  mask_set masks;
  mask first("a.weight", {3, 2}, true), second("b.weight", {3, 3}, true);
  for (auto const i : {0, 1}) first.set(static_cast<std::size_t>(i), false);      // unit 0 of a has no input
  for (auto const i : {1, 4, 7}) second.set(static_cast<std::size_t>(i), false);  // unit 1 of a has no output
  for (auto const i : {5, 8}) second.set(static_cast<std::size_t>(i), false);     // units 1, 2 of b read unit 0 of a alone
  masks.add(first), masks.add(second);

  auto const map = channel_map_of(network, {2});
  auto const paths = dead_paths_of(map, masks);
  REQUIRE(paths.layers.size() == 3);
  CHECK(paths.layers[0].kept == 4);
  CHECK(paths.layers[0].effective == 2);  // of unit 2
  CHECK(paths.layers[1].kept == 4);
  CHECK(paths.layers[1].effective == 1);  // b0 ← a2
  CHECK(paths.layers[1].without_input == 2);
  CHECK(paths.layers[2].effective == 2);  // both classes ← b0
  CHECK(paths.nominal_sparsity() == doctest::Approx(7.0 / 21));
  CHECK(paths.effective_sparsity() == doctest::Approx(16.0 / 21));
  CHECK(paths.collapsed().empty());

  auto result = shrink(network, masks, images({4, 2}, 1));
  CHECK(shape_of(*result.model.parameters()[0].value) == shape{1, 2});
  CHECK(shape_of(*result.model.parameters()[2].value) == shape{1, 1});
  CHECK(distance(network, masks, result.model, {4, 2}) <= 1e-12);
}

TEST_CASE("a collapsed layer is named and keeps one channel") {
  builder net(2);
  net.classifier("fc", net.relu(net.linear("a", net.input(), 3)), 2);
  auto network = test::trained(std::move(net).build());
  mask_set masks;
  masks.add({"a.weight", {3, 2}, false});
  auto const map = channel_map_of(network, {2});
  CHECK(dead_paths_of(map, masks).collapsed() == std::vector<std::string>{"a.weight", "fc.weight"});
  auto result = shrink(network, masks, images({4, 2}, 1));
  CHECK(shape_of(*result.model.parameters()[0].value) == shape{1, 2});
  CHECK(result.left_whole.back().reason.find("collapse") != std::string::npos);
  CHECK(distance(network, masks, result.model, {4, 2}) <= 1e-12);
}

TEST_CASE("masks of another network are refused and nothing changes") {
  builder net(2);
  net.classifier("fc", net.relu(net.linear("a", net.input(), 3)), 2);
  auto network = std::move(net).build();
  auto const original = network;
  mask_set wider, unknown;
  wider.add({"a.weight", {4, 2}, true});
  unknown.add({"b.weight", {3, 2}, true});
  CHECK_THROWS_WITH_AS((void)shrink(network, wider, images({4, 2}, 1)),
                       doctest::Contains("pass masks that were made for this model"), error);
  CHECK_THROWS_WITH_AS((void)shrink(network, unknown, images({4, 2}, 1)), doctest::Contains("no parameter b.weight"), error);
  CHECK(same_state(network, original));
}

TEST_CASE("a NaN beside equal values is no equality, wherever it stands") {
  auto const nan = std::numeric_limits<double>::quiet_NaN();
  auto const row = [](std::vector<double> const& values) { return tensor_traits<cpu::array<double>>::make({1, 3}, values); };
  for (std::size_t at = 0; at < 3; ++at) {
    std::vector<double> found{1, 2, 3};
    found[at] = nan;
    CHECK_FALSE(compare_outputs(row({1, 2, 3}), row(found)).holds());
    CHECK_FALSE(compare_outputs(row(found), row(found)).holds());
  }
}

TEST_CASE("inputs and weights that leave no finite logit are named, not the smaller network") {
  builder net(2);
  net.classifier("fc", net.linear("a", net.input(), 3), 2);
  auto network = std::move(net).build();
  auto const* const reason = "the masked network's outputs are NaN or infinite on the given inputs";
  auto inputs = images({4, 2}, 1);
  inputs(1, 0) = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_WITH_AS((void)shrink(network, {}, inputs), doctest::Contains(reason), error);
  auto const parameters = network.parameters();
  (*parameters[0].value)(0, 0) = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_WITH_AS((void)shrink(network, {}, images({4, 2}, 1)), doctest::Contains(reason), error);
}
