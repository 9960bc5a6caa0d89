/// Merging units: an example that can be done in the head, the oracle's values, and points at which no output may leave its bounds.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <lnpt/backend/cpu/backend.hpp>
#include <lnpt/core/random.hpp>
#include <lnpt/io/safetensors.hpp>
#include <lnpt/merge/merge_units.hpp>
#include <lnpt/nn/builder.hpp>
#include <lnpt/zoo/mlp.hpp>

#include "../skip.hpp"

using namespace lnpt;

namespace {

template <class T>
using backend = cpu::backend<T>;
template <class T>
using net = network<backend<T>>;
template <class T>
using array = cpu::array<T>;

template <class T>
void set(net<T>& model, std::size_t parameter, std::vector<T> const& values) {
  auto& value = *model.parameters()[parameter].value;
  value = tensor_traits<array<T>>::make(shape_of(value), values);
}

/// u0: x = (1, 0), b = 1 · u1: (1, 1), 1 · u2: (4, 4), 3 · outgoing (3, 4), (0, 1), (0, 2).
net<double> example() {
  std::vector<std::size_t> const sizes{2, 3, 2};
  auto model = zoo::mlp<backend<double>>(sizes);
  set<double>(model, 0, {1, 0, 1, 1, 4, 4});
  set<double>(model, 1, {1, 1, 3});
  set<double>(model, 2, {3, 0, 0, 4, 1, 2});
  return model;
}

/// Convolutions with and without batch norm, both kinds of pools, flattening and a hidden linear layer.
template <class T>
net<T> images() {
  network_builder<backend<T>> net(2, 3);
  auto at = net.batch_norm("bn1", net.conv2d("conv1", net.input(), 8, {.bias = true}), true);
  at = net.max_pool(at, 2, 2);
  at = net.average_pool(net.relu(net.conv2d("conv2", at, 6, {.bias = true})), 2, 2);
  at = net.relu(net.linear("hidden", net.flatten(at), 10, 6 * 4));
  net.classifier("fc", at, 3);
  auto model = std::move(net).build();
  for (auto const& p : model.parameters()) {
    if (is_prunable(p.role)) continue;
    for (std::size_t c = 0; c < size_of(*p.value); ++c) p.value->data()[c] = static_cast<T>(normal(7, c).first);
  }
  for (auto const& b : model.buffers())
    for (std::size_t c = 0; c < size_of(*b.value); ++c) b.value->data()[c] = static_cast<T>(0.1 + uniform(8, c));
  return model;
}

/// How often an output of `merged` differs from the given network's by more than the bounds say, over random points of a box of which
/// half of the values are at its corners; `slack` is what computing an output rounds.
template <class T>
std::size_t outside(net<T>& given, merged<net<T>>& less, shape sample, double low, double high, std::size_t points,
                    double slack) {
  constexpr std::size_t batch = 1000;
  std::size_t count = 0;
  sample.insert(sample.begin(), batch);
  for (std::size_t b = 0; b < points / batch; ++b) {
    std::vector<T> x(element_count(sample));
    for (std::size_t i = 0; i < x.size(); ++i) {
      auto const u = uniform(5, b, i);
      x[i] = static_cast<T>(i % 2 == b % 2 ? (u < 0.5 ? low : high) : low + u * (high - low));
    }
    auto const input = tensor_traits<array<T>>::make(sample, x);
    auto const before = values_of(given.predict(input, {norm_mode::eval}).output);
    auto const after = values_of(less.model.predict(input, {norm_mode::eval}).output);
    auto const classes = less.change.low.size();
    for (std::size_t i = 0; i < before.size(); ++i) {
      auto const moved = static_cast<double>(after[i]) - static_cast<double>(before[i]);
      count += moved < less.change.low[i % classes] - slack || moved > less.change.high[i % classes] + slack;
    }
  }
  return count;
}

constexpr std::size_t million = 1000000;

}  // namespace

TEST_CASE("by hand: saliencies, impact, entropy and score of the pairs of three units") {
  auto model = example();
  auto const layer = hidden_layers(model).at(0);
  unit_weights const units(model, layer);
  CHECK(units.saliency(1, 0) == 1);
  CHECK(units.saliency(0, 1) == 5);
  CHECK(units.saliency(2, 1) == doctest::Approx((std::sqrt(18) + .5) * 2).epsilon(1e-12));
  CHECK(units.saliency(2, 0) == doctest::Approx(11).epsilon(1e-12));
  CHECK(units.saliency(0, 2) == doctest::Approx(27.5).epsilon(1e-12));
  CHECK(units.saliency(1, 2) == doctest::Approx(4.743).epsilon(1e-3));
  auto const pairs = units.disjoint_pairs({1, 1, 1});
  REQUIRE(pairs.size() == 1);  // the second one would need unit 0 or 1
  CHECK((pairs[0].removed == 1 && pairs[0].into == 0));

  auto const bounds = interval_bounds(model, box_of<array<double>>({1, 2}, 0, 1));
  merge_changes const changes(model, layer, bounds);
  auto const of = [&](std::size_t p, std::size_t q) { return changes.at_outputs(changes.change_of({p, q})); };
  auto const small = of(1, 0);
  CHECK(std::abs(small.low[0]) < 1e-14);
  CHECK(std::abs(small.high[0]) < 1e-14);
  CHECK(small.low[1] == doctest::Approx(-2).epsilon(1e-12));
  CHECK(small.high[1] == doctest::Approx(1).epsilon(1e-12));
  merge_options const published{.norm = impact_norm::sigmoid};
  CHECK(effect_of(small).impact == doctest::Approx(3).epsilon(1e-12));
  CHECK(effect_of(small).entropy == doctest::Approx(std::log(2)).epsilon(1e-12));
  CHECK(merge_score(effect_of(small), published) == doctest::Approx(.881097).epsilon(1e-6));
  CHECK(merge_score(effect_of(small)) == doctest::Approx(.75 * std::log(4) + .25 * std::log(2)).epsilon(1e-12));
  auto const large = of(0, 1);
  CHECK(large.low[0] == doctest::Approx(-3).epsilon(1e-12));
  CHECK(large.high[0] == doctest::Approx(6).epsilon(1e-12));
  CHECK(large.low[1] == doctest::Approx(-4).epsilon(1e-12));
  CHECK(large.high[1] == doctest::Approx(8).epsilon(1e-12));
  CHECK(merge_score(effect_of(large), published) == doctest::Approx(.916667).epsilon(1e-6));
  CHECK(merge_acceptance(.916667 + .75e-9, .881097, 2. / 3, published) == doctest::Approx(.8988).epsilon(1e-4));
  CHECK(merge_acceptance(.5, .881097, 2. / 3) == 1);
  CHECK(merge_acceptance(1, .5, .5, {.temperature = 0}) == 0);
}

TEST_CASE("by hand: unit 0 takes up unit 1, and what unit 1 read goes") {
  auto model = example();
  auto less = merge_units(model, box_of<array<double>>({1, 2}, 0, 1), {.target = 1. / 3, .step = 1. / 3});
  REQUIRE(less.merges.size() == 1);
  CHECK((less.merges[0].layer == "hidden.0" && less.merges[0].pair.removed == 1 && less.merges[0].pair.into == 0));
  CHECK((less.layers[0].before == 3 && less.layers[0].after == 2));
  auto const left = less.model.parameters();
  CHECK(values_of(*left[0].value) == std::vector<double>{1, 0, 4, 4});
  CHECK(values_of(*left[1].value) == std::vector<double>{1, 3});
  CHECK(values_of(*left[2].value) == std::vector<double>{3, 0, 5, 2});
  CHECK(less.change.low[1] == doctest::Approx(-2).epsilon(1e-12));
  CHECK(values_of(*model.parameters()[2].value) == std::vector<double>{3, 0, 0, 4, 1, 2});  // the given network is as it was
}

TEST_CASE("saliency, impact and entropy of every pair equal the oracle's to 1e-9") {
  auto const* const shared = std::getenv("LNPT_SHARED_DIR");
  auto const folder = std::filesystem::path(shared ? shared : "") / "oracle";
  if (!std::filesystem::exists(folder / "methods_mlp.safetensors")) return skip("the oracle's reference files are not here");
  auto const weights = io::safetensors::open(folder / "mlp.safetensors");
  auto const file = io::safetensors::open(folder / "methods_mlp.safetensors");
  std::vector<std::size_t> const sizes{12, 16, 10, 5};
  auto model = zoo::mlp<backend<double>>(sizes);
  for (std::size_t i = 0; auto const& p : model.parameters()) set<double>(model, i++, weights.read<double>("student." + p.name));
  auto const bounds = interval_bounds(model, box_of<array<double>>({1, 12}, 0, 1));
  for (auto const& layer : hidden_layers(model)) {
    CAPTURE(layer.name);
    auto const saliency = file.read<double>("merge.saliency." + layer.name);
    auto const impact = file.read<double>("merge.impact." + layer.name);
    auto const entropy = file.read<double>("merge.entropy." + layer.name);
    unit_weights const units(model, layer);
    merge_changes const changes(model, layer, bounds);
    for (std::size_t p = 0; p < layer.units; ++p)
      for (std::size_t q = 0; q < layer.units; ++q) {
        if (p == q) continue;
        auto const at = p * layer.units + q;
        auto const effect = effect_of(changes.at_outputs(changes.change_of({p, q})));
        CHECK(std::abs(units.saliency(p, q) - saliency[at]) <= 1e-9 * saliency[at]);
        CHECK(std::abs(effect.impact - impact[at]) <= 1e-9 * impact[at]);
        CHECK(effect.impact >= impact[at]);  // never narrower
        CHECK(std::abs(effect.entropy - entropy[at]) <= 1e-9);
      }
  }
}

TEST_CASE("a merge of one pair, and merges of half of all units, change no output by more than their bounds say") {
  std::vector<std::size_t> const sizes{12, 16, 10, 5};
  auto model = zoo::mlp<backend<double>>(sizes, 4);
  auto const box = box_of<array<double>>({1, 12}, -1, 2);
  auto one = merge_units(model, box, {.target = 1. / 26});
  REQUIRE(one.merges.size() == 1);
  CHECK(outside<double>(model, one, {12}, -1, 2, million, 1e-13) == 0);
  auto half = merge_units(model, box);
  CHECK(outside<double>(model, half, {12}, -1, 2, million / 10, 1e-13) == 0);
  CHECK(outside<double>(model, one, {12}, -3, 5, 20000, 1e-13) > 0);  // and they say something: beyond the box outputs leave them
}

TEST_CASE("channels merge by the same rule, behind batch norm and pools, in float and in double") {
  auto in_double = images<double>();
  auto less = merge_units(in_double, box_of<array<double>>({1, 2, 8, 8}, 0, 1));
  CHECK(less.merges.size() == 12);
  CHECK(outside<double>(in_double, less, {2, 8, 8}, 0, 1, 20000, 1e-12) == 0);
  auto in_float = images<float>();
  auto less_in_float = merge_units(in_float, box_of<array<float>>({1, 2, 8, 8}, 0, 1));
  CHECK(outside<float>(in_float, less_in_float, {2, 8, 8}, 0, 1, 10000, 1e-4) == 0);
}

TEST_CASE("the count is exact in every mode, seeds repeat, and one unit of every layer stays") {
  std::vector<std::size_t> const sizes{6, 21, 13, 4};
  auto model = zoo::mlp<backend<double>>(sizes, 1);
  auto const box = box_of<array<double>>({1, 6}, 0, 1);
  for (auto const mode : {merge_mode::saliency, merge_mode::impact, merge_mode::stochastic})
    for (auto const target : {0.1, 0.5, 0.77}) {
      auto const less = merge_units(model, box, {.target = target, .mode = mode});
      CHECK(less.merges.size() == static_cast<std::size_t>(std::llround(target * 34)));
      CHECK(less.layers[0].after + less.layers[1].after == 34 - less.merges.size());
    }
  auto const removed = [&](merge_options const& o) {
    std::vector<std::size_t> all;
    for (auto const& each : merge_units(model, box, o).merges) all.push_back(each.pair.removed);
    return all;
  };
  CHECK(removed({.seed = 1}) == removed({.seed = 1}));
  CHECK(merge_units(model, box, {.target = 0}).merges.empty());
  auto const most = merge_units(model, box, {.target = 0.99});
  CHECK((most.layers[0].after == 1 && most.layers[1].after == 1));
  auto const once = merge_units(model, box, {.target = 0.99, .recursive = false});
  CHECK(once.merges.size() == 10 + 6);  // a unit that took up another goes no more
}

TEST_CASE("networks that merging does not cover are refused by their layer, as are boxes that hold nothing") {
  auto const refuses = [](auto build, char const* words) {
    network_builder<backend<double>> net(4);
    build(net);
    auto model = std::move(net).build();
    CHECK_THROWS_WITH_AS((void)merge_units(model, box_of<array<double>>({1, 4}, 0, 1)), doctest::Contains(words), error);
  };
  refuses([](auto& net) { net.join(net.linear("a", net.input(), 4), net.input()); }, "does not cover the layer \"add\"");
  refuses([](auto& net) { net.linear("b", net.activation(net.linear("a", net.input(), 4), {activation_kind::tanh}), 2); },
          "does not cover the layer \"activation\"");
  refuses([](auto& net) { net.linear("b", net.conv2d("wise", net.input(), 4, {.groups = 4}), 2); },
          "does not cover the layer \"wise\"");
  refuses([](auto& net) { net.linear("a", net.input(), 4); }, "no hidden units to merge");
  auto model = example();
  CHECK_THROWS_WITH_AS((void)merge_units(model, box_of<array<double>>({1, 2}, 1, 0)), doctest::Contains("holds no input"), error);
  CHECK_THROWS_WITH_AS((void)merge_units(model, box_of<array<double>>({2, 2}, 0, 1)), doctest::Contains("pass a batch of one"),
                       error);
  CHECK_THROWS_WITH_AS((void)merge_units(model, box_of<array<double>>({1, 2}, -1e308, 1e308)),
                       doctest::Contains("pass a smaller box"), error);
  CHECK_THROWS_WITH_AS((void)merge_units(model, box_of<array<double>>({1, 2}, 0, 1), {.target = 1}),
                       doctest::Contains("outside [0, 1)"), error);
}
