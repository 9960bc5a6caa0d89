/// Exact selection of the kept weights, beside the time it takes to copy the scores and to select by the usual means.
/// Every row ends with `copies`, its time in parallel copies of the same scores; `select/global` is held to 2.5 at 20 million.
#include <algorithm>
#include <array>
#include <benchmark/benchmark.h>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <random>
#include <span>
#include <string>
#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>
#include <tbb/parallel_reduce.h>
#include <vector>

#include <lnpt/mask/select.hpp>

namespace {

using scores = std::vector<float>;
constexpr double kept_fraction = 0.05;

/// What pruning ranks: |θ · g|, and the inputs that selections stumble over.
enum class shape_of_scores { products, equal, sorted, mostly_zero };

scores make_scores(std::size_t n, shape_of_scores kind) {
  scores values(n);
  tbb::parallel_for(
      tbb::blocked_range<std::size_t>(0, n, 1 << 16),
      [&](auto const& range) {
        std::minstd_rand generator(static_cast<unsigned>(range.begin() + 1));
        std::normal_distribution<float> normal;
        for (auto i = range.begin(); i < range.end(); ++i) {
          auto const product = std::abs(normal(generator) * normal(generator));
          switch (kind) {
            case shape_of_scores::products: values[i] = product; break;
            case shape_of_scores::equal: values[i] = 1.0F; break;
            case shape_of_scores::sorted: values[i] = static_cast<float>(i) / static_cast<float>(n); break;
            case shape_of_scores::mostly_zero: values[i] = generator() % 10 == 0 ? product : 0.0F; break;
          }
        }
      },
      tbb::simple_partitioner());
  return values;
}

void copy_in_parallel(scores const& from, scores& to) {
  tbb::parallel_for(tbb::blocked_range<std::size_t>(0, from.size(), 1 << 16), [&](auto const& range) {
    std::memcpy(to.data() + range.begin(), from.data() + range.begin(), range.size() * sizeof(float));
  });
}

/// The median seconds of a parallel copy, measured once per size.
double seconds_of_copy(scores const& values) {
  static std::map<std::size_t, double> known;
  if (auto const found = known.find(values.size()); found != known.end()) return found->second;
  scores copy(values.size());
  std::vector<double> times;
  for (int repeat = 0; repeat < 12; ++repeat) {
    auto const start = std::chrono::steady_clock::now();
    copy_in_parallel(values, copy);
    benchmark::DoNotOptimize(copy.data());
    times.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  std::nth_element(times.begin(), times.begin() + 6, times.end());
  return known[values.size()] = times[6];
}

/// Each takes scores, the count and the words to write.
using words = std::vector<lnpt::mask::word>;

void select_exactly(scores const& values, std::size_t n, words& kept) {
  std::array const parameters{lnpt::ranked_scores<float>{values, kept}};
  if (!lnpt::keep_largest<float>(parameters, n).empty()) std::abort();
}

void write_bits(scores const& values, float threshold, words& kept) {
  tbb::parallel_for(std::size_t{0}, kept.size(), [&](std::size_t w) {
    lnpt::mask::word bits = 0;
    for (std::size_t i = w * 64; i < std::min(values.size(), w * 64 + 64); ++i)
      bits |= lnpt::mask::word{values[i] >= threshold} << (i % 64);
    kept[w] = bits;
  });
}

/// The usual way: a copy, `std::nth_element`, a comparison with the threshold (so tied scores are all kept).
void select_by_nth_element(scores const& values, std::size_t n, words& kept) {
  auto copy = values;
  auto const nth = copy.begin() + static_cast<std::ptrdiff_t>(n - 1);
  std::nth_element(copy.begin(), nth, copy.end(), std::greater<>());
  write_bits(values, *nth, kept);
}

/// Four parallel passes of 8 bits each over the bit patterns of non-negative scores, then the comparison.
void select_by_radix(scores const& values, std::size_t n, words& kept) {
  using histogram = std::array<std::size_t, 256>;
  std::uint32_t prefix = 0;
  for (int shift = 24; shift >= 0; shift -= 8) {
    auto const counts = tbb::parallel_reduce(
        tbb::blocked_range<std::size_t>(0, values.size(), 1 << 16), histogram{},
        [&](auto const& range, histogram partial) {
          for (auto i = range.begin(); i < range.end(); ++i) {
            auto const bits = std::bit_cast<std::uint32_t>(values[i]);
            if ((std::uint64_t{bits} >> (shift + 8)) == (std::uint64_t{prefix} >> (shift + 8))) ++partial[(bits >> shift) & 255];
          }
          return partial;
        },
        [](histogram a, histogram const& b) {
          for (std::size_t i = 0; i < a.size(); ++i) a[i] += b[i];
          return a;
        });
    std::uint32_t digit = 255;
    while (counts[digit] < n) n -= counts[digit--];
    prefix |= digit << shift;
  }
  write_bits(values, std::bit_cast<float>(prefix), kept);
}

using selection = void (*)(scores const&, std::size_t, words&);

void measure(benchmark::State& state, selection select, shape_of_scores kind) {
  auto const values = make_scores(static_cast<std::size_t>(state.range(0)), kind);
  words kept((values.size() + 63) / 64);
  auto const n = static_cast<std::size_t>(kept_fraction * static_cast<double>(values.size()));
  auto const copy = seconds_of_copy(values);
  double seconds = 0;
  for ([[maybe_unused]] auto _ : state) {
    auto const start = std::chrono::steady_clock::now();
    select(values, n, kept);
    benchmark::DoNotOptimize(kept.data());
    auto const took = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    state.SetIterationTime(took);
    seconds += took;
  }
  state.counters["copies"] = seconds / static_cast<double>(state.iterations()) / copy;
  state.SetBytesProcessed(state.iterations() * state.range(0) * static_cast<std::int64_t>(sizeof(float)));
}

void measure_copy(benchmark::State& state) {
  auto const values = make_scores(static_cast<std::size_t>(state.range(0)), shape_of_scores::products);
  scores copy(values.size());
  for ([[maybe_unused]] auto _ : state) {
    copy_in_parallel(values, copy);
    benchmark::DoNotOptimize(copy.data());
  }
  state.SetBytesProcessed(state.iterations() * state.range(0) * static_cast<std::int64_t>(sizeof(float)));
}

auto* add(std::string const& name, selection select, shape_of_scores kind = shape_of_scores::products) {
  return benchmark::RegisterBenchmark(name.c_str(), measure, select, kind)->UseManualTime()->Unit(benchmark::kMillisecond);
}

auto const registered = [] {
  for (std::int64_t const n : {100'000, 1'000'000, 10'000'000, 20'000'000, 140'000'000}) {
    add("select/global", select_exactly)->Arg(n);
    benchmark::RegisterBenchmark("select/copy", measure_copy)->UseRealTime()->Unit(benchmark::kMillisecond)->Arg(n);
    if (n > 20'000'000) continue;
    add("select/radix", select_by_radix)->Arg(n);
    add("select/nth_element", select_by_nth_element)->Arg(n);
  }
  add("select/global_equal", select_exactly, shape_of_scores::equal)->Arg(20'000'000);
  add("select/global_sorted", select_exactly, shape_of_scores::sorted)->Arg(20'000'000);
  add("select/global_mostly_zero", select_exactly, shape_of_scores::mostly_zero)->Arg(20'000'000);
  return true;
}();

}  // namespace

BENCHMARK_MAIN();
