/// A network on kept weights alone against the same network with its pruned weights as zeros.
#include <doctest/doctest.h>

#include <lnpt/core/random.hpp>
#include <lnpt/lnpt.hpp>

using namespace lnpt;
using backend = cpu::backend<double>;
using array = cpu::array<double>;

namespace {

/// A residual network with strides and a grouped, a depthwise and a biased convolution, and masks of every seventh weight or so. Both
/// rectifiers that convolutions read have their cotangents from these: `bn` on top of what the sum gives it.
struct pruned {
  network<backend> net;
  mask_set masks;

  pruned() : net(make()) {
    for (auto const& p : net.parameters())
      if (is_prunable(p.role)) {
        mask kept(p.name, lnpt::shape_of(*p.value), false);
        for (std::size_t i = 0; i < kept.size(); ++i) kept.set(i, uniform(7, p.name.size(), i) < 0.15);
        masks.add(std::move(kept));
      }
    apply(masks, net);
  }

  static network<backend> make() {
    network_builder<backend> b(3, 5);
    auto const block = b.batch_norm("bn", b.conv2d("first", b.input(), 8), true);
    auto x = b.conv2d("grouped", block, 8, {.groups = 2});
    x = b.join(b.conv2d("depthwise", x, 8, {.groups = 8}), block, true);
    x = b.conv2d("strided", x, 12, {.stride = 2, .bias = true});
    x = b.relu(x);
    b.classifier("fc", b.global_average_pool(b.conv2d("last", x, 6, {.kernel = 1, .padding = 0})), 4);
    return std::move(b).build();
  }
};

array images(std::size_t samples) {
  auto x = cpu::uninitialized<double>({samples, 3, 9, 8});
  for (std::size_t i = 0; i < x.size(); ++i) x.data()[i] = uniform(1, 2, i) - 0.5;
  return x;
}

double difference(array const& a, array const& b) {
  REQUIRE(a.size() == b.size());
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(a.data()[i] - b.data()[i]));
  return worst;
}

constexpr double rounding = 1e-12;

/// ∂/∂output of the sum of the outputs.
cotangents<array> ones_like(array const& output) {
  return {cpu::filled<double>({output.shape()[0], output.shape()[1]}, 1.0), std::nullopt};
}

}  // namespace

TEST_CASE("predictions and gradients on kept weights are those of the masked network") {
  pruned whole, held;
  auto const x = images(5);
  held.net.keep_only(held.masks, execution::sparse);
  auto const norm = normalization{norm_mode::train};
  CHECK(difference(whole.net.predict(x).output, held.net.predict(x).output) < rounding);
  auto const expected_trace = whole.net.forward(x, norm);
  auto const trace = held.net.forward(x, norm);
  auto const slope = ones_like(trace.output());
  auto const expected = whole.net.backward(expected_trace, slope), kept = held.net.backward(trace, slope);
  auto const parameters = whole.net.parameters();
  std::size_t held_by_kept = 0;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    CAPTURE(parameters[i].name);
    auto const& all = *expected[i];
    auto const& some = *kept[i];
    if (some.dimension() == all.dimension()) {
      CHECK(difference(all, some) < rounding);
      continue;
    }
    ++held_by_kept;
    auto const& m = *whole.masks.find(parameters[i].name);
    REQUIRE(some.size() == m.count());
    for (std::size_t at = 0, k = 0; at < m.size(); ++at)
      if (m[at]) CHECK(std::abs(all.data()[at] - some.data()[k++]) < rounding);
  }
  CHECK(held_by_kept == 5);  // all prunable weights but those of the depthwise convolution
}

TEST_CASE("whoever asks for the parameters of a network on kept weights has all of them, to the bit") {
  pruned whole, held;
  held.net.keep_only(held.masks, execution::sparse);
  for (auto const& p : held.net.stored_parameters())
    if (auto const* const m = held.masks.find(p.name); m && p.name != "depthwise.weight") CHECK(p.value->size() == m->count());
  auto const expected = whole.net.parameters(), found = held.net.parameters();
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CAPTURE(expected[i].name);
    CHECK(lnpt::shape_of(*found[i].value) == lnpt::shape_of(*expected[i].value));
    CHECK(*found[i].value == *expected[i].value);
  }
}

TEST_CASE("products of second order, squares per sample and synaptic flow on kept weights are those of the whole network") {
  pruned whole, held;
  held.net.keep_only(held.masks, execution::sparse);
  auto const x = images(3);
  auto const compare = [](gradients<array> const& a, gradients<array> const& b) {
    for (std::size_t i = 0; i < a.size(); ++i) {
      REQUIRE(a[i].has_value() == b[i].has_value());
      if (a[i]) CHECK(difference(*a[i], *b[i]) < rounding);
    }
  };
  compare(whole.net.synaptic_flow({1, 3, 9, 8}), held.net.synaptic_flow({1, 3, 9, 8}));
  auto expected = whole.net.forward(x), found = held.net.forward(x);
  compare(whole.net.sample_squared_gradients(expected, ones_like(expected.output())),
          held.net.sample_squared_gradients(found, ones_like(found.output())));
  auto const rule = [](auto const& predicted) {
    return cotangents<std::remove_cvref_t<decltype(predicted.output)>>{predicted.output, std::nullopt};
  };
  auto const g = whole.net.retained_backward(expected, rule), h = held.net.retained_backward(found, rule);
  compare(g, h);
  compare(whole.net.hessian_vector_product(expected, rule, g), held.net.hessian_vector_product(found, rule, h));
}

TEST_CASE("automatic execution holds what is below its break-even density, dense holds nothing, and a new mask repacks") {
  pruned p;
  auto const stored = [&] {
    std::size_t count = 0;
    for (auto const& each : p.net.stored_parameters()) count += p.masks.find(each.name) && each.value->dimension() == 1;
    return count;
  };
  p.net.keep_only(p.masks, execution::dense);
  CHECK(stored() == 0);
  p.net.keep_only(p.masks);
  CHECK(stored() == 5);
  for (auto& m : p.masks)
    if (m.name() == "last.weight")
      for (std::size_t i = 0; i < m.size(); ++i) m.set(i, true);
  apply(p.masks, p.net);
  p.net.keep_only(p.masks);
  CHECK(stored() == 4);
}

TEST_CASE("masks of another network are refused before anything is held") {
  pruned p;
  mask_set others;
  others.add(mask("fc.weight", {3, 3}, true));
  CHECK_THROWS_WITH_AS(p.net.keep_only(others), doctest::Contains("pass masks that were made for this model"), error);
}

TEST_CASE("passes that skip what is pruned give whole gradients, of the weights as they are then, and 0 for skipped ones") {
  pruned whole, skipping;
  skipping.net.skip_pruned(skipping.masks, execution::sparse);
  auto const x = images(5);
  auto const slope = ones_like(whole.net.predict(x).output);
  for (auto const factor : {1.0, -0.5}) {
    for (auto* const net : {&whole.net, &skipping.net})
      for (auto const& p : net->parameters()) *p.value *= factor;  // also shows that parameters are whole
    auto const expected = whole.net.backward(whole.net.forward(x, {norm_mode::train}), slope);
    auto const found = skipping.net.backward(skipping.net.forward(x, {norm_mode::train}), slope);
    auto const parameters = whole.net.parameters();
    std::size_t skipped = 0;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      CAPTURE(parameters[i].name);
      REQUIRE(lnpt::shape_of(*found[i]) == lnpt::shape_of(*expected[i]));
      auto const* const kept = whole.masks.find(parameters[i].name);
      for (std::size_t at = 0; at < expected[i]->size(); ++at)
        if (kept && !(*kept)[at])
          skipped += found[i]->data()[at] == 0;
        else
          CHECK(std::abs(expected[i]->data()[at] - found[i]->data()[at]) < rounding);
    }
    CHECK(skipped > 500);
  }
  // What works on all weights goes on doing so; then nothing is skipped any more.
  auto const rule = [](auto const& predicted) {
    return cotangents<std::remove_cvref_t<decltype(predicted.output)>>{predicted.output, std::nullopt};
  };
  auto const largest_difference = [&] {
    auto a = whole.net.forward(x), b = skipping.net.forward(x);
    auto const squares = whole.net.sample_squared_gradients(a, slope),
               squares_too = skipping.net.sample_squared_gradients(b, slope);
    auto const g = whole.net.retained_backward(a, rule), g_too = skipping.net.retained_backward(b, rule);
    auto const hg = whole.net.hessian_vector_product(a, rule, g), hg_too = skipping.net.hessian_vector_product(b, rule, g);
    double worst = 0;
    for (std::size_t i = 0; i < g.size(); ++i)
      if (g[i])
        worst = std::max(
            {worst, difference(*squares[i], *squares_too[i]), difference(*g[i], *g_too[i]), difference(*hg[i], *hg_too[i])});
    return worst;
  };
  CHECK(largest_difference() < rounding);
  skipping.net.skip_pruned({});
  CHECK(largest_difference() == 0);
}

TEST_CASE("what passes skip follows the masks: one that holds a weight more, one that holds less, and none") {
  pruned whole, skipping;
  auto const x = images(5);
  auto const check = [&] {
    skipping.net.skip_pruned(skipping.masks, execution::sparse);
    CHECK(difference(whole.net.predict(x).output, skipping.net.predict(x).output) < rounding);
  };
  check();
  auto const first = [](pruned& in) -> mask& {
    return *std::ranges::find_if(in.masks, [](auto const& m) { return m.name() == "first.weight"; });
  };
  for (auto* const each : {&whole, &skipping}) {
    auto& kept = first(*each);
    for (std::size_t i = 0; i < kept.size(); ++i) kept.set(i, true);
    each->net.parameters()[0].value->fill(2);
  }
  check();
  for (auto const left : {std::size_t{200}, std::size_t{150}, std::size_t{10}}) {
    for (auto* const each : {&whole, &skipping}) {
      auto& kept = first(*each);
      for (std::size_t i = left; i < kept.size(); ++i) kept.set(i, false);
      apply(each->masks, each->net);
    }
    check();
  }
  skipping.net.skip_pruned({});
  CHECK(whole.net.predict(x).output == skipping.net.predict(x).output);
}
