#pragma once
/// The exact threshold of a ranking that does not fit in memory, from histograms.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <tbb/enumerable_thread_specific.h>
#include <utility>
#include <vector>

#include <lnpt/out_of_core/keys.hpp>
#include <lnpt/out_of_core/stored_codes.hpp>

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

/// How many words have each code, or each value of its high bits where `Shift` low ones are left out.
///
/// Each thread reads 8 bytes at a time and counts every word of them in a histogram of its own, since equal neighbours, which pruned
/// weights and 8-bit ones are full of, would wait for one another's count.
template <class Code, int Shift = 0>
class code_counts {
 public:
  static constexpr std::size_t bins = (std::size_t{largest_code<Code>} >> Shift) + 1;

  /// Counts words. Safe from several threads.
  void count(std::span<std::byte const> words) {
    auto& mine = partial_.local();
    mine.make_room(words.size() / sizeof(Code));
    auto* const counts = mine.counts.data();
    auto const* at = words.data();
    auto const* const end = at + words.size();
    for (; end - at >= static_cast<std::ptrdiff_t>(sizeof(std::uint64_t)); at += sizeof(std::uint64_t)) {
      std::uint64_t several;
      std::memcpy(&several, at, sizeof several);
      for (std::size_t lane = 0; lane != lanes; ++lane)
        ++counts[lane * bins + static_cast<std::size_t>(((several >> (lane * 8 * sizeof(Code))) & largest_code<Code>) >> Shift)];
    }
    stored_codes<Code> const rest{at};
    for (std::size_t i = 0; i != static_cast<std::size_t>(end - at) / sizeof(Code); ++i) ++counts[std::size_t{rest[i]} >> Shift];
  }

  /// What all threads counted, from one thread.
  [[nodiscard]] std::vector<std::uint64_t> total() {
    std::vector<std::uint64_t> sum(bins);
    for (auto& each : partial_) {
      each.add_up();
      for (std::size_t bin = 0; bin != bins; ++bin) sum[bin] += each.sums[bin];
    }
    return sum;
  }

 private:
  static constexpr std::size_t lanes = sizeof(std::uint64_t) / sizeof(Code);

  struct part {
    std::vector<std::uint32_t> counts = std::vector<std::uint32_t>(lanes * bins);
    std::vector<std::uint64_t> sums = std::vector<std::uint64_t>(bins);
    std::uint64_t counted = 0;  ///< since the counts were 0

    /// So many more do not overflow a count afterwards.
    void make_room(std::uint64_t more) {
      if (counted + more > std::numeric_limits<std::uint32_t>::max()) add_up();
      counted += more;
    }
    void add_up() {
      for (std::size_t i = 0; i != counts.size(); ++i) sums[i % bins] += std::exchange(counts[i], 0);
      counted = 0;
    }
  };
  tbb::enumerable_thread_specific<part> partial_;
};

/// A key by its high and its low bits: those that a first reading of 32-bit keys counts, and those that a second one settles.
inline constexpr int low_bits = 15;
inline constexpr std::size_t high_bins = std::size_t{1} << (31 - low_bits), low_bins = std::size_t{1} << low_bits;
[[nodiscard]] constexpr std::size_t high_of(key k) { return k >> low_bits; }
[[nodiscard]] constexpr std::size_t low_of(key k) { return k & (low_bins - 1); }

/// How many 32-bit keys have each value of the low bits, of those whose high bits are given.
class low_counts {
 public:
  explicit low_counts(std::size_t high) : high_(high) {}

  /// Counts keys that are stored with a sign or without. Safe from several threads.
  void count(std::span<std::byte const> words) {
    auto& counts = partial_.local();
    stored_codes<key> const keys{words.data()};
    auto const size = words.size() / sizeof(key);
    constexpr std::size_t several = 32;  // few keys are counted, so that one branch passes over many
    auto const add = [&](std::size_t begin, std::size_t end) {
      for (auto i = begin; i != end; ++i)
        if (high_of(keys[i]) == high_) ++counts[low_of(keys[i])];
    };
    std::size_t i = 0;
    for (; i + several <= size; i += several) {
      key any = 0;
      for (std::size_t j = 0; j != several; ++j) any |= static_cast<key>(keys[i + j] >> low_bits == static_cast<key>(high_));
      if (any != 0) add(i, i + several);
    }
    add(i, size);
  }
  /// Adds what the threads counted, from one thread.
  void add_to(std::vector<std::uint64_t>& total) const {
    for (auto const& counts : partial_)
      for (std::size_t bin = 0; bin != low_bins; ++bin) total[bin] += counts[bin];
  }

 private:
  std::size_t high_;
  tbb::enumerable_thread_specific<std::vector<std::uint64_t>> partial_{[] { return std::vector<std::uint64_t>(low_bins); }};
};

/// The bin in which the n-th largest lies (n from 1), and which of the bin's it is, from its largest (from 1).
template <class Count>
[[nodiscard]] std::pair<std::size_t, std::uint64_t> nth_of(std::vector<Count> const& counts, std::uint64_t n) {
  auto bin = counts.size() - 1;
  for (; counts[bin] < n; --bin) n -= counts[bin];
  return {bin, n};
}

}  // namespace lnpt::out_of_core
