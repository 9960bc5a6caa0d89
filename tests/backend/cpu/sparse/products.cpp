/// Products by kept weights alone against the dense products of the masked weights.
#include "../../conv_case.hpp"
#include "../support.hpp"

#include <array>
#include <functional>
#include <limits>

#include <lnpt/backend/cpu/convolution/conv2d.hpp>
#include <lnpt/backend/cpu/linear.hpp>
#include <lnpt/backend/cpu/sparse/convolution.hpp>
#include <lnpt/backend/cpu/sparse/gradients.hpp>
#include <lnpt/backend/cpu/sparse/linear.hpp>

using namespace lnpt;
using namespace lnpt::test;
namespace sparse = lnpt::cpu::sparse;

namespace {

/// A masked parameter: the pattern of its kept weights, their values, and the same as a dense array with zeros.
template <class T>
struct masked_weights {
  sparse::pattern pattern;
  std::vector<T> values;
  std::vector<std::size_t> at;  ///< of each kept weight in the dense array
  cpu::array<T> dense;

  /// `keep(i)` says whether the weight at flat index i stays.
  template <class Keep>
  masked_weights(shape const& extents, Keep keep) : pattern(extents, words(extents, keep)), dense(random_array<T>(extents, 2)) {
    for (std::size_t i = 0; i < dense.size(); ++i) {
      if (keep(i))
        values.push_back(dense.data()[i]), at.push_back(i);
      else
        dense.data()[i] = 0;
    }
  }

  [[nodiscard]] std::vector<double> kept_of(cpu::array<T> const& all) const {
    std::vector<double> result;
    for (auto const i : at) result.push_back(static_cast<double>(all.data()[i]));
    return result;
  }

  template <class Keep>
  static std::vector<std::uint64_t> words(shape const& extents, Keep keep) {
    std::vector<std::uint64_t> result((element_count(extents) + 63) / 64);
    for (std::size_t i = 0; i < element_count(extents); ++i)
      if (keep(i)) result[i / 64] |= std::uint64_t{1} << (i % 64);
    return result;
  }
};

/// A name and a rule of which weights stay, for a parameter of these extents.
struct selection {
  char const* name;
  std::function<bool(std::size_t)> keep;
};

auto at_random(double density) {
  return [density](std::size_t i) {
    return static_cast<double>((i * 0x9E3779B97F4A7C15ull) >> 40) < density * static_cast<double>(1 << 24);
  };
}

/// Densities from none to all, rows that are empty or full, one weight, whole input channels gone.
std::vector<selection> selections(shape const& extents) {
  auto const size = element_count(extents), row = size / extents[0], taps = row / extents[1];
  return {{"none", [](std::size_t) { return false; }},
          {"one", [size](std::size_t i) { return i == size / 2; }},
          {"2 %", at_random(0.02)},
          {"30 %", at_random(0.3)},
          {"every other row empty, the others full", [row](std::size_t i) { return i / row % 2 == 1; }},
          {"every third input channel gone", [=](std::size_t i) { return i / taps % extents[1] % 3 != 0; }},
          {"all", [](std::size_t) { return true; }}};
}

/// Odd extents, strides and groups; maps of one pixel and of many; batches that leave the last block of samples short; bands of rows; a
/// result that is written past the caches.
std::vector<conv_case> cases() {
  return {{3, 2, 5, 7, 4, {3, 1, 1, 1, 1}},      {16, 3, 8, 8, 17, {3, 2, 1, 1, 1}},
          {5, 3, 33, 32, 7, {3, 1, 1, 1, 1}},    {9, 17, 2, 2, 12, {3, 1, 1, 1, 1}},
          {8, 41, 4, 4, 8, {3, 1, 1, 1, 1}},     {24, 3, 7, 5, 20, {1, 1, 0, 1, 1}},
          {12, 3, 8, 8, 10, {1, 2, 0, 1, 1}},    {6, 2, 11, 9, 10, {5, 3, 2, 1, 1}},
          {4, 2, 6, 6, 4, {3, 1, 0, 1, 1}},      {4, 2, 6, 6, 4, {1, 1, 1, 1, 1}},
          {4, 2, 7, 7, 4, {2, 2, 0, 1, 1}},      {4, 2, 6, 8, 4, {{3, 1}, 1, 1, 1, 1}},
          {3, 2, 16, 16, 6, {7, 2, 3, 1, 1}},    {12, 9, 9, 9, 24, {3, 2, 1, 1, 4}},
          {2, 1, 70, 70, 3, {3, 1, 1, 1, 1}},    {2, 100, 1, 1, 3, {1, 1, 0, 1, 1}},
          {64, 1, 2, 2, 34, {3, 1, 1, 1, 2}},    {70, 4, 40, 24, 6, {3, 1, 1, 1, 1}},
          {2, 9, 32, 32, 64, {3, 1, 1, 1, 1}},   {2, 21, 3, 3, 3, {5, 1, 2, 1, 1}},
          {4, 2, 2, 9, 4, {{1, 5}, 1, 2, 1, 1}}, {6, 3, 9, 11, 10, {3, {1, 2}, {0, 1, 2, 1}, {2, 1}, 2}}};
}

/// Requires `f(out, accumulate)` to give `expected` over rubbish, and on top of what is there.
template <class T, class F>
void require_result(cpu::array<T> const& expected, F f) {
  auto out = cpu::filled<T>(shape_of(expected), std::numeric_limits<T>::quiet_NaN());
  f(out, false);
  CHECK(relative_error(out, expected) < tolerance<T>);
  out = random_array<T>(shape_of(expected), 4);
  cpu::array<T> const sum = expected + out;
  f(out, true);
  CHECK(relative_error(out, sum) < tolerance<T>);
}

/// The same of the gradient of the kept weights.
template <class T, class F>
void require_kept(std::vector<double> expected, F f) {
  std::vector<T> out(expected.size(), std::numeric_limits<T>::quiet_NaN());
  f(std::span(out), false);
  CHECK(relative_error(out, expected) < tolerance<T>);
  f(std::span(out), true);
  for (auto& each : expected) each *= 2;
  CHECK(relative_error(out, expected) < tolerance<T>);
}

}  // namespace

TEST_CASE("two kept weights of a 2x2 kernel add two neighbours") {
  // 1 2 3 / 4 5 6 under the kernel 1 . / . 1: 1 + 5 and 2 + 6.
  std::vector<std::uint64_t> const diagonal{0b1001};
  sparse::pattern const kept({1, 1, 2, 2}, diagonal);
  std::vector<float> const ones{1, 1};
  auto const x = array_of<float>({1, 1, 2, 3}, {1, 2, 3, 4, 5, 6});
  cpu::array<float> y;
  sparse::conv2d<float>(x, kept, ones, {2}, y, false);
  CHECK(y == array_of<float>({1, 1, 1, 2}, {6, 8}));
  std::vector<float> gw(2);
  sparse::conv2d_weight_gradient<float>(x, y, kept, {2}, gw, false);
  CHECK(gw == std::vector<float>{1 * 6 + 2 * 8, 5 * 6 + 6 * 8});
}

TEST_CASE_TEMPLATE("convolutions by kept weights are the dense ones of the masked weights", T, float, double) {
  for (auto const& c : cases()) {
    auto const x = random_array<T>(c.x(), 1), gy = random_array<T>(c.y(), 3);
    cpu::array<T> y, gx, gw;
    cpu::conv2d_weight_gradient(x, gy, c.geometry, c.weights(), gw, false);
    for (auto const& s : selections(c.weights())) {
      CAPTURE(c);
      CAPTURE(s.name);
      masked_weights<T> const w(c.weights(), s.keep);
      cpu::conv2d(x, w.dense, c.geometry, y, false);
      require_result(y, [&](auto& out, bool add) { sparse::conv2d<T>(x, w.pattern, w.values, c.geometry, out, add); });
      cpu::conv2d_input_gradient(gy, w.dense, c.geometry, c.x(), gx, false);
      require_result(gx, [&](auto& out, bool add) {
        sparse::conv2d_input_gradient<T>(gy, w.pattern, w.values, c.geometry, c.x(), out, add);
      });
      require_kept<T>(w.kept_of(gw), [&](std::span<T> out, bool add) {
        sparse::conv2d_weight_gradient<T>(x, gy, w.pattern, c.geometry, out, add);
      });
      std::vector<T> of_weights(w.values.size(), std::numeric_limits<T>::quiet_NaN());
      auto of_input = cpu::filled<T>(c.x(), std::numeric_limits<T>::quiet_NaN());
      sparse::conv2d_gradients<T>(x, gy, w.pattern, w.values, c.geometry, of_input, of_weights);
      CHECK(relative_error(of_input, gx) < tolerance<T>);
      CHECK(relative_error(of_weights, w.kept_of(gw)) < tolerance<T>);
      auto const addend = random_array<T>(c.x(), 5);
      sparse::conv2d_gradients<T>(x, gy, w.pattern, w.values, c.geometry, of_input, of_weights, {&addend, true});
      auto both = gx;
      for (std::size_t i = 0; i < x.size(); ++i) both.data()[i] = x.data()[i] > 0 ? addend.data()[i] + gx.data()[i] : T{0};
      CHECK(relative_error(of_input, both) < tolerance<T>);
    }
  }
}

TEST_CASE_TEMPLATE("linear layers by kept weights are the dense ones of the masked weights", T, float, double) {
  for (auto const& [samples, features, outputs] :
       std::vector<std::array<std::size_t, 3>>{{1, 1, 1}, {1, 130, 67}, {3, 40, 9}, {4, 33, 70}, {17, 600, 5}, {150, 20, 31}}) {
    CAPTURE(samples);
    auto const x = random_array<T>({samples, features}, 1), gy = random_array<T>({samples, outputs}, 3);
    cpu::array<T> y, gx, gw;
    cpu::linear_weight_gradient(x, gy, gw);
    for (auto const& s : selections({outputs, features})) {
      CAPTURE(s.name);
      masked_weights<T> const w({outputs, features}, s.keep);
      cpu::linear(x, w.dense, y);
      require_result(y, [&](auto& out, bool add) { sparse::linear<T>(x, w.pattern, w.values, out, add); });
      cpu::linear_input_gradient(gy, w.dense, gx);
      require_result(gx, [&](auto& out, bool add) { sparse::linear_input_gradient<T>(gy, w.pattern, w.values, out, add); });
      require_kept<T>(w.kept_of(gw),
                      [&](std::span<T> out, bool add) { sparse::linear_weight_gradient<T>(x, gy, w.pattern, out, add); });
    }
  }
}

TEST_CASE("products by kept weights have the same bits for any number of threads") {
  for (auto const& c : {conv_case{16, 37, 16, 16, 40, {3, 1, 1, 1, 1}}, conv_case{48, 3, 8, 8, 72, {3, 2, 1, 1, 1}}}) {
    CAPTURE(c);
    auto const x = random_array<float>(c.x(), 8), gy = random_array<float>(c.y(), 10);
    masked_weights<float> const w(c.weights(), at_random(0.1));
    cpu::array<float> out;
    require_same_bits_for_any_thread_count(
        [&] { return sparse::conv2d<float>(x, w.pattern, w.values, c.geometry, out, false), out; });
    require_same_bits_for_any_thread_count(
        [&] { return sparse::conv2d_input_gradient<float>(gy, w.pattern, w.values, c.geometry, c.x(), out, false), out; });
    auto gw = cpu::uninitialized<float>({w.values.size()});
    require_same_bits_for_any_thread_count([&] {
      return sparse::conv2d_gradients<float>(x, gy, w.pattern, w.values, c.geometry, out, std::span(gw.data(), gw.size())), out;
    });
    require_same_bits_for_any_thread_count([&] {
      return sparse::conv2d_gradients<float>(x, gy, w.pattern, w.values, c.geometry, out, std::span(gw.data(), gw.size())), gw;
    });
    require_same_bits_for_any_thread_count([&] {
      return sparse::conv2d_weight_gradient<float>(x, gy, w.pattern, c.geometry, std::span(gw.data(), gw.size()), false), gw;
    });
  }
}

TEST_CASE("a pattern lists every kept weight by row and by input") {
  // 1 . 1 / . . . / . 1 1
  std::vector<std::uint64_t> const words{0b110'000'101};
  sparse::pattern const p({3, 3}, words);
  CHECK(p.kept() == 4);
  std::vector<std::size_t> flat;
  p.for_each([&](std::size_t, std::size_t at) { flat.push_back(at); });
  CHECK(flat == std::vector<std::size_t>{0, 2, 7, 8});
  CHECK(p.row_begin(1) == p.row_begin(2));
  std::vector<std::size_t> rows, positions;
  for (auto j = p.input_begin(2); j < p.input_begin(3); ++j) rows.push_back(p.row(j)), positions.push_back(p.position(j));
  CHECK(rows == std::vector<std::size_t>{0, 2});
  CHECK(positions == std::vector<std::size_t>{1, 3});
}

TEST_CASE("what does not fit a pattern is refused in words") {
  std::vector<std::uint64_t> const words{~std::uint64_t{0} >> (64 - 36)};
  sparse::pattern const p({1, 4, 3, 3}, words);
  auto const x = cpu::filled<float>({4, 1, 3, 3}, 1);
  cpu::array<float> y;
  std::vector<float> const few(35);
  CHECK_THROWS_WITH_AS(sparse::conv2d<float>(x, p, few, {3, 1, 1, 1, 1}, y, false),
                       doctest::Contains("pass one value per kept weight"), lnpt::error);
  CHECK_THROWS_WITH_AS(sparse::pattern({4, 4, 3, 3}, words), doctest::Contains("one word per 64 weights"), lnpt::error);
  std::vector<float> const all(36);
  CHECK_THROWS_WITH_AS(sparse::linear<float>(x, p, all, y, false), doctest::Contains("pass a matrix of 36 columns"), lnpt::error);
}
