#pragma once
/// The exact threshold of a ranking that does not fit in memory, from histograms of the keys.
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <tbb/enumerable_thread_specific.h>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/out_of_core/keys.hpp>

namespace lnpt::out_of_core {

/// What stays: keys above the threshold and, of those that equal it, the first `ties`.
struct threshold {
  key above = std::numeric_limits<key>::max();  ///< above every key: nothing stays
  std::uint64_t ties = 0;
  std::uint64_t tied = 0;  ///< how many keys equal it

  /// How many weights their place alone keeps or removes: those that equal the threshold, if some of them stay and others go. Weights
  /// of 0 are stored alike whether they stay or go.
  [[nodiscard]] std::uint64_t decided_by_position() const { return above == 0 || ties == 0 || ties == tied ? 0 : tied; }

  friend bool operator==(threshold const&, threshold const&) = default;
};

/// A histogram per thread over the high bits of the keys or, where those are settled, over the low ones.
class key_histogram {
 public:
  static constexpr int low_bits = score_source::narrow_bits;
  static constexpr std::size_t high_bins = std::size_t{1} << (31 - low_bits), low_bins = std::size_t{1} << low_bits;

  explicit key_histogram(std::size_t bins) : partial_([bins] { return std::vector<std::uint64_t>(bins); }), total_(bins) {}

  /// Counts by the high bits; returns how many keys are of NaN or infinity. Safe from several threads.
  std::size_t count_high(std::span<key const> keys) {
    auto& counts = partial_.local();
    std::size_t nonfinite = 0;
    for (auto const k : keys) {
      ++counts[k >> low_bits];
      nonfinite += k >= infinity_key;
    }
    return nonfinite;
  }
  /// Counts the low bits of the keys whose high bits are `high`.
  void count_low(std::span<key const> keys, key high) {
    auto& counts = partial_.local();
    for (auto const k : keys)
      if (k >> low_bits == high) ++counts[k & (low_bins - 1)];
  }
  /// Adds what the threads counted to the total, from one thread.
  void gather() {
    for (auto& counts : partial_)
      for (std::size_t bin = 0; bin != counts.size(); ++bin) total_[bin] += std::exchange(counts[bin], 0);
  }

  [[nodiscard]] std::uint64_t operator[](std::size_t bin) const { return total_[bin]; }
  void add(std::size_t bin, std::uint64_t count) { total_[bin] += count; }

  /// The bin in which the n-th largest key lies (n from 1), and which of the bin's keys it is, from its largest (from 1).
  [[nodiscard]] std::pair<std::size_t, std::uint64_t> find(std::uint64_t n) const {
    std::size_t bin = total_.size() - 1;
    for (; total_[bin] < n; --bin) n -= total_[bin];
    return {bin, n};
  }

 private:
  tbb::enumerable_thread_specific<std::vector<std::uint64_t>> partial_;
  std::vector<std::uint64_t> total_;
};

/// The threshold that keeps n of the keys. `for_each_keys(wide, visit)` shows every key of the wide sources, or of the narrow ones, to
/// `visit(keys)`, from any thread; `visit` returns how many of them are NaN or infinite. Narrow keys have zero
/// low bits, so that a second pass over the wide ones settles the rest. Cost: one pass over narrow sources, two over wide ones.
template <class ForEachKeys>
[[nodiscard]] threshold find_threshold(std::uint64_t n, bool any_wide, ForEachKeys&& for_each_keys) {
  if (n == 0) return {};
  key_histogram high(key_histogram::high_bins);
  for_each_keys(false, [&](std::span<key const> keys) { return high.count_high(keys); });
  high.gather();
  std::vector<std::uint64_t> narrow;
  if (any_wide) {
    for (std::size_t bin = 0; bin != key_histogram::high_bins; ++bin) narrow.push_back(high[bin]);
    for_each_keys(true, [&](std::span<key const> keys) { return high.count_high(keys); });
    high.gather();
  }
  auto const [bin, rest] = high.find(n);
  auto const first_key = static_cast<key>(bin << key_histogram::low_bits);
  if (!any_wide) return {first_key, rest, high[bin]};

  key_histogram low(key_histogram::low_bins);
  for_each_keys(true, [&](std::span<key const> keys) {
    low.count_low(keys, static_cast<key>(bin));
    return std::size_t{0};
  });
  low.gather();
  low.add(0, narrow[bin]);
  auto const [low_bin, ties] = low.find(rest);
  return {static_cast<key>(first_key | low_bin), ties, low[low_bin]};
}

}  // namespace lnpt::out_of_core
