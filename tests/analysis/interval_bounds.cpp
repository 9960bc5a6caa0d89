/// Interval bounds: a network that can be done in the head, the oracle's values, and points that must lie inside.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <lnpt/analysis/interval_bounds.hpp>
#include <lnpt/backend/cpu/backend.hpp>
#include <lnpt/core/random.hpp>
#include <lnpt/io/safetensors.hpp>
#include <lnpt/nn/builder.hpp>

#include "../skip.hpp"

using namespace lnpt;

namespace {

template <class T>
using backend = cpu::backend<T>;

template <class T>
void set(network<backend<T>>& model, std::size_t parameter, std::vector<T> const& values) {
  auto& value = *model.parameters()[parameter].value;
  value = tensor_traits<cpu::array<T>>::make(shape_of(value), values);
}

/// Layers of every kind that has bounds.
template <class T>
network<backend<T>> every_layer() {
  network_builder<backend<T>> net(2, 3);
  auto const first = net.batch_norm("bn1", net.conv2d("conv1", net.input(), 4, {.bias = true}), true);
  auto const second = net.batch_norm("bn2", net.conv2d("conv2", first, 4, {.groups = 2}));
  auto const both = net.concat({net.join(first, second, true), net.relu(net.affine_constant(second, -0.5, 0.25))});
  auto const scaled = net.join(
      net.divide(net.multiply(both, net.leaf("gamma", {8, 1, 1, 1}, -0.7)), net.leaf("deviation", {8, 1, 1, 1}, 2, true)),
      net.multiply(both, net.relu(both)));
  auto const pooled = net.concat({net.max_pool(scaled, 2, 2), net.average_pool(scaled, 2, 2)});
  auto const hidden = net.relu(net.linear("hidden", net.flatten(pooled), 8, 16 * 4));
  net.classifier("fc", hidden, 3);
  auto model = std::move(net).build();
  for (auto const& p : model.parameters()) {
    if (p.role != role::norm_scale && p.role != role::norm_shift) continue;
    for (std::size_t c = 0; c < size_of(*p.value); ++c) p.value->data()[c] = static_cast<T>(normal(7, c).first);
  }
  for (auto const& b : model.buffers())
    for (std::size_t c = 0; c < size_of(*b.value); ++c) b.value->data()[c] = static_cast<T>(0.1 + uniform(8, c));
  return model;
}

/// How many values of any node lie outside, over batches of random points of a box, half of them corners.
template <class T>
std::size_t outside(network<backend<T>>& model, shape sample, double low, double high, std::size_t batches) {
  sample.insert(sample.begin(), 1);
  auto const bounds = interval_bounds(model, box_of<cpu::array<T>>(sample, low, high));
  std::size_t count = 0;
  sample[0] = 100;
  for (std::size_t b = 0; b < batches; ++b) {
    std::vector<T> points(element_count(sample));
    for (std::size_t i = 0; i < points.size(); ++i) {
      auto const u = uniform(5, b, i);
      points[i] = static_cast<T>(i % 2 == b % 2 ? (u < 0.5 ? low : high) : low + u * (high - low));
    }
    model.watch(tensor_traits<cpu::array<T>>::make(sample, points), {norm_mode::eval}, [&](std::size_t node, auto const& output) {
      auto const extents = shape_of(output);
      auto const samples_axis = extents.size() == 4 ? 1U : 0U;
      auto const inner = extents.size() == 4 ? extents[2] * extents[3] : extents[1];
      auto const v = values_of(output);
      auto const lo = values_of(bounds[node].low);
      auto const hi = values_of(bounds[node].high);
      for (std::size_t i = 0; i < v.size(); ++i) {
        auto const at = samples_axis == 1 ? i / (extents[1] * inner) * inner + i % inner : i % inner;
        count += v[i] < lo[at] || v[i] > hi[at];
      }
    });
  }
  return count;
}

}  // namespace

TEST_CASE("by hand: x in [0, 1]² gives x0 + 1 in [1, 2], x0 + x1 + 1 in [1, 3] and 4 x0 + 4 x1 + 3 in [3, 11]") {
  network_builder<backend<double>> net(2);
  auto const units = net.relu(net.linear("hidden", net.input(), 3));
  net.classifier("fc", units, 2);
  auto model = std::move(net).build();
  set<double>(model, 0, {1, 0, 1, 1, 4, 4});
  set<double>(model, 1, {1, 1, 3});
  set<double>(model, 2, {3, 0, 0, 4, 1, -2});
  set<double>(model, 3, {0, 1});
  auto const bounds = interval_bounds(model, box_of<cpu::array<double>>({1, 2}, 0, 1));
  auto const near = [](cpu::array<double> const& found, std::vector<double> const& truth, int side) {
    for (std::size_t i = 0; i < truth.size(); ++i) {
      CHECK(found.data()[i] == doctest::Approx(truth[i]).epsilon(1e-12));
      CHECK(side * (found.data()[i] - truth[i]) >= 0);  // never narrower
    }
  };
  near(bounds[2].low, {1, 1, 3}, -1);
  near(bounds[2].high, {2, 3, 11}, 1);
  near(bounds.back().low, {3, 4 + 1 - 22 + 1}, -1);
  near(bounds.back().high, {6, 8 + 3 - 6 + 1}, 1);
}

TEST_CASE("no point of the box lies outside, at any node, of layers of every kind, in float and in double") {
  auto in_double = every_layer<double>();
  auto in_float = every_layer<float>();
  CHECK(outside<double>(in_double, {2, 4, 4}, -1, 2, 50) == 0);
  CHECK(outside<float>(in_float, {2, 4, 4}, -1, 2, 50) == 0);
  CHECK(outside<float>(in_float, {2, 4, 4}, 0.7, 0.7, 1) == 0);  // a box of one point holds what rounding makes of it
  auto const point = interval_bounds(in_double, box_of<cpu::array<double>>({1, 2, 4, 4}, 0.7, 0.7)).back();
  for (std::size_t k = 0; k < 3; ++k) CHECK(point.high.data()[k] - point.low.data()[k] < 1e-11);
}

TEST_CASE("bounds equal the oracle's to 1e-9, and are never narrower") {
  auto const* const shared = std::getenv("LNPT_SHARED_DIR");
  auto const folder = std::filesystem::path(shared ? shared : "") / "oracle";
  if (!std::filesystem::exists(folder / "methods_mlp.safetensors")) return skip("the oracle's reference files are not here");
  auto const weights = io::safetensors::open(folder / "mlp.safetensors");
  auto const file = io::safetensors::open(folder / "methods_mlp.safetensors");
  network_builder<backend<double>> net(12);
  auto const first = net.relu(net.linear("hidden.0", net.input(), 16));
  auto const second = net.relu(net.linear("hidden.1", first, 10));
  net.classifier("fc", second, 5);
  auto model = std::move(net).build();
  for (std::size_t i = 0; auto const& p : model.parameters()) set<double>(model, i++, weights.read<double>("student." + p.name));
  auto const bounds = interval_bounds(model, box_of<cpu::array<double>>({1, 12}, 0, 1));
  for (auto const& [node, name] : {std::pair(2, "hidden.0"), std::pair(4, "hidden.1"), std::pair(5, "fc")}) {
    CAPTURE(name);
    auto const low = file.read<double>(std::string("bounds.low.") + name);
    auto const high = file.read<double>(std::string("bounds.high.") + name);
    auto const& found = bounds[static_cast<std::size_t>(node)];
    for (std::size_t i = 0; i < low.size(); ++i) {
      CHECK(std::abs(found.low.data()[i] - low[i]) <= 1e-9);
      CHECK(std::abs(found.high.data()[i] - high[i]) <= 1e-9);
      CHECK((found.low.data()[i] <= low[i] && found.high.data()[i] >= high[i]));
    }
  }
}

TEST_CASE("boxes that hold nothing and layers without bounds are refused in one sentence") {
  auto model = every_layer<double>();
  auto box = box_of<cpu::array<double>>({1, 2, 4, 4}, 1, 0);
  CHECK_THROWS_WITH_AS((void)interval_bounds(model, box), doctest::Contains("a box from 1 to 0 at value 0 holds no input"),
                       error);
  auto const refused = [](auto end) {
    network_builder<backend<double>> net(2);
    end(net, net.linear("a", net.input(), 2));
    auto bent = std::move(net).build();
    (void)interval_bounds(bent, box_of<cpu::array<double>>({1, 2}, 0, 1));
  };
  CHECK_THROWS_WITH_AS(refused([](auto& net, auto x) { net.activation(x, {activation_kind::sigmoid}); }),
                       doctest::Contains("no interval bounds of an activation function that is no rectifier"), error);
  CHECK_THROWS_WITH_AS(refused([](auto& net, auto x) { net.divide(x, x); }),
                       doctest::Contains("no interval bounds of a quotient whose divisor may be 0"), error);
}
