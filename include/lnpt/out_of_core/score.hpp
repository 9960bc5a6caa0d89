#pragma once
/// How the scores of a stored model are spread, without its architecture and without holding it.
#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <tbb/enumerable_thread_specific.h>
#include <utility>
#include <vector>

#include <lnpt/io/sharded_model.hpp>
#include <lnpt/out_of_core/blocks.hpp>
#include <lnpt/out_of_core/model_config.hpp>
#include <lnpt/out_of_core/plan.hpp>
#include <lnpt/out_of_core/rank_ranges.hpp>

namespace lnpt::out_of_core {

/// The octave of all scores in 0 < S < 2^−126; above it octave e holds 2^e ≤ S < 2^(e+1).
inline constexpr int lowest_octave = -127;

/// The scores of one tensor.
struct score_histogram {
  std::string name = {};
  std::uint64_t total = 0;
  std::uint64_t zeros = 0;
  float least = 0, largest = 0;
  double mean = 0;
  int first_octave = 0;                     ///< of `octaves`, which is empty where every score is 0
  std::vector<std::uint64_t> octaves = {};  ///< how many scores lie in octave first_octave + k; the first and the last hold some
};

/// The scores of a model, tensor by tensor.
struct score_report {
  std::vector<score_histogram> scored;
  std::vector<std::pair<std::string, std::string>> dense;  ///< what has no scores, and why
  double seconds = 0;
};

namespace detail {

/// What a thread has seen of a tensor.
struct score_tally {
  std::array<std::uint64_t, 256> octaves{};  ///< from `lowest_octave` on: by the exponents of the keys
  std::uint64_t zeros = 0;
  key least = std::numeric_limits<key>::max();
  key largest = 0;

  /// Returns the sum of the scores.
  double count(std::span<key const> keys) {
    double sum = 0;
    for (auto const k : keys) {
      ++octaves[k >> 23];
      zeros += k == 0;
      least = std::min(least, k);
      largest = std::max(largest, k);
      sum += static_cast<double>(std::bit_cast<float>(k));
    }
    return sum;
  }
  void add(score_tally const& other) {
    for (std::size_t e = 0; e != octaves.size(); ++e) octaves[e] += other.octaves[e];
    zeros += other.zeros;
    least = std::min(least, other.least);
    largest = std::max(largest, other.largest);
  }
};

[[nodiscard]] inline score_histogram histogram_of(std::string name, std::uint64_t total, score_tally tally, double sum) {
  score_histogram result{.name = std::move(name),
                         .total = total,
                         .zeros = tally.zeros,
                         .least = std::bit_cast<float>(tally.least),
                         .largest = std::bit_cast<float>(tally.largest),
                         .mean = sum / static_cast<double>(total)};
  tally.octaves[0] -= tally.zeros;
  auto const holds_some = [](std::uint64_t count) { return count != 0; };
  auto const first = std::ranges::find_if(tally.octaves, holds_some);
  if (first == tally.octaves.end()) return result;
  auto const last = std::find_if(tally.octaves.rbegin(), tally.octaves.rend(), holds_some).base();
  result.first_octave = lowest_octave + static_cast<int>(first - tally.octaves.begin());
  result.octaves.assign(first, last);
  return result;
}

/// The scores of a tensor; sums are of blocks, in their order, so that they have the same bits on any number of threads.
[[nodiscard]] inline score_histogram score_tensor(io::sharded_model const& model, planned_tensor const& planned, meter& along) {
  weight_range const whole{&planned, 0, planned.size()};
  auto const blocks = blocks_of({&whole, 1}, [](planned_tensor const&) { return block_weights; });
  std::vector<double> sums(blocks.size());
  tbb::enumerable_thread_specific<score_tally> tallies;
  for_each_keys_of(model, blocks, along,
                   [&](std::size_t b, std::span<key const> keys) { sums[b] += tallies.local().count(keys); });
  score_tally all;
  for (auto const& each : tallies) all.add(each);
  auto const nonfinite = static_cast<std::size_t>(all.octaves.back());
  require_finite({&whole, 1}, {&nonfinite, 1});
  double sum = 0;
  for (auto const each : sums) sum += each;
  return histogram_of(planned.tensor.name(), planned.size(), all, sum);
}

}  // namespace detail

/// Scores what `prune` would rank of a safetensors file, an index of shards or a folder with either, tensor by tensor. Refuses scores that
/// are NaN or infinite, by name.
///
///     memory   headers, at most 2 KiB of counts a tensor, and per thread at most 8 MiB
///     reads    the weights once; random: nothing
[[nodiscard]] inline score_report score(std::filesystem::path const& from, prune_options const& options) {
  auto const start = std::chrono::steady_clock::now();
  io::sharded_model const model(from);
  auto const plan = make_plan(model, read_config(model.folder()), options);
  std::uint64_t bytes = 0;
  for (auto const& each : plan.pruned) bytes += each.scores.reads() ? each.tensor.bytes() : 0;
  meter along(options, bytes);
  along.doing("scoring");
  score_report result;
  for (auto const& each : plan.pruned) result.scored.push_back(detail::score_tensor(model, each, along));
  for (auto const& each : plan.dense) result.dense.emplace_back(each.tensor.name(), each.reason);
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

}  // namespace lnpt::out_of_core
