#pragma once
/// What the tests of the CPU backend share: seeded arrays, and how near is near enough.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <random>
#include <type_traits>
#include <vector>

#include <doctest/doctest.h>
#include <oneapi/tbb/global_control.h>

#include <lnpt/backend/cpu/array.hpp>

namespace lnpt::test {

/// Normal values, the same for the same seed.
template <class T>
cpu::array<T> random_array(shape const& extents, unsigned seed, double mean = 0) {
  std::mt19937_64 generator(seed);
  std::normal_distribution<double> normal(mean, 1);
  auto result = cpu::uninitialized<T>(extents);
  std::generate_n(result.data(), result.size(), [&] { return static_cast<T>(normal(generator)); });
  return result;
}

/// An array of these values.
template <class T>
cpu::array<T> array_of(shape const& extents, std::vector<T> const& values) {
  return tensor_traits<cpu::array<T>>::make(extents, values);
}

template <class Range>
std::vector<double> as_doubles(Range const& range) {
  return std::vector<double>(range.begin(), range.end());
}

template <class T>
shape shape_of(cpu::array<T> const& x) {
  return {x.shape().begin(), x.shape().end()};
}

/// The largest difference, relative to the largest expected magnitude.
template <class Actual, class Expected>
double relative_error(Actual const& actual, Expected const& expected) {
  if (actual.size() != expected.size()) return HUGE_VAL;
  double worst = 0, largest = 1e-300;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    auto const difference = std::abs(static_cast<double>(actual.data()[i]) - static_cast<double>(expected.data()[i]));
    if (std::isnan(difference)) return HUGE_VAL;
    worst = std::max(worst, difference);
    largest = std::max(largest, std::abs(static_cast<double>(expected.data()[i])));
  }
  return worst / largest;
}

/// Rounding of sums of a few thousand products.
template <class T>
constexpr double tolerance = std::is_same_v<T, float> ? 3e-6 : 1e-14;

template <class T>
double inner_product(cpu::array<T> const& a, cpu::array<T> const& b) {
  double total = 0;
  for (std::size_t i = 0; i < a.size(); ++i) total += static_cast<double>(a.data()[i]) * static_cast<double>(b.data()[i]);
  return total;
}

template <class T>
bool same_bits(cpu::array<T> const& a, cpu::array<T> const& b) {
  return a.size() == b.size() && std::equal(a.data(), a.data() + a.size(), b.data(),
                                            [](T x, T y) { return x == y && std::signbit(x) == std::signbit(y); });
}

/// Calls `f()` with 1, 2 and 4 threads and requires the same bits of it.
template <class F>
void require_same_bits_for_any_thread_count(F f) {
  auto const run = [&](std::size_t threads) {
    oneapi::tbb::global_control const limit(oneapi::tbb::global_control::max_allowed_parallelism, threads);
    return f();
  };
  auto const one = run(1);
  CHECK(same_bits(one, run(2)));
  CHECK(same_bits(one, run(4)));
}

}  // namespace lnpt::test
