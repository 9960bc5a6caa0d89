/// Exact selection of the kept weights, beside the time it takes to copy the scores and to select by the usual means.
#include <algorithm>
#include <array>
#include <benchmark/benchmark.h>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>
#include <tbb/parallel_reduce.h>
#include <vector>

#include <lnpt/mask/select.hpp>

#include "peak_memory.hpp"

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

/// The last scores made: rows of one size follow each other.
scores const& scores_at_hand(std::size_t n, shape_of_scores kind) {
  static scores values;
  static shape_of_scores made = kind;
  if (values.size() != n || made != kind) values = make_scores(n, made = kind);
  return values;
}

/// Each takes scores, the count and the words to write.
using words = std::vector<lnpt::mask::word>;

void select_exactly(scores const& values, std::size_t n, words& kept) {
  std::array const parameters{lnpt::ranked_scores<float>{values, kept}};
  if (!lnpt::keep_largest<float>(parameters, n).non_finite.empty()) std::abort();
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

std::size_t kept_of(std::size_t n) { return static_cast<std::size_t>(kept_fraction * static_cast<double>(n)); }

void measure(benchmark::State& state, selection select, shape_of_scores kind) {
  auto const& values = scores_at_hand(static_cast<std::size_t>(state.range(0)), kind);
  words kept((values.size() + 63) / 64);
  for ([[maybe_unused]] auto _ : state) {
    select(values, kept_of(values.size()), kept);
    benchmark::DoNotOptimize(kept.data());
  }
}

void measure_copy(benchmark::State& state) {
  auto const& values = scores_at_hand(static_cast<std::size_t>(state.range(0)), shape_of_scores::products);
  scores copy(values.size());
  for ([[maybe_unused]] auto _ : state) {
    copy_in_parallel(values, copy);
    benchmark::DoNotOptimize(copy.data());
  }
}

/// Passes over about 2·10⁸ scores: as many as take a fraction of a second, whatever their number.
void row(std::string const& name, std::int64_t n, std::function<void(benchmark::State&)> body) {
  benchmark::RegisterBenchmark(name.c_str(), std::move(body))
      ->UseRealTime()
      ->Unit(benchmark::kMillisecond)
      ->Arg(n)
      ->Iterations(std::clamp<std::int64_t>(200'000'000 / n, 3, 1000));
}

void selection_row(std::string const& name, std::int64_t n, selection select, shape_of_scores kind = shape_of_scores::products) {
  row(name, n, [=](auto& state) { measure(state, select, kind); });
}

/// The memory that a selection adds to the scores and the masks, and what the scores take.
void memory_rows(std::size_t n) {
  auto const size = std::to_string(n);
  peak_memory::row("memory/select/global/" + size, [=] {
    auto values = std::make_shared<scores>(make_scores(n, shape_of_scores::products));
    auto kept = std::make_shared<words>((n + 63) / 64);
    return [=] { select_exactly(*values, kept_of(n), *kept); };
  });
  row("memory/scores", static_cast<std::int64_t>(n), [=](auto& state) {
    for ([[maybe_unused]] auto _ : state) state.counters["bytes"] = static_cast<double>(n * sizeof(float));
  });
}

auto const registered = [] {
  for (std::int64_t const n : {100'000, 1'000'000, 10'000'000, 20'000'000, 140'000'000}) {
    selection_row("select/global", n, select_exactly);
    row("select/copy", n, measure_copy);
    if (n != 20'000'000) continue;
    selection_row("select/radix", n, select_by_radix);
    selection_row("select/nth_element", n, select_by_nth_element);
    selection_row("select/global_equal", n, select_exactly, shape_of_scores::equal);
    selection_row("select/global_sorted", n, select_exactly, shape_of_scores::sorted);
    selection_row("select/global_mostly_zero", n, select_exactly, shape_of_scores::mostly_zero);
  }
  memory_rows(140'000'000);
  return true;
}();

}  // namespace
