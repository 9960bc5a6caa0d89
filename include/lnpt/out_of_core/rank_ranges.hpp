#pragma once
/// The threshold of weights that compete with one another, read from their files.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/out_of_core/blocks.hpp>
#include <lnpt/out_of_core/random_threshold.hpp>
#include <lnpt/out_of_core/stored_codes.hpp>
#include <lnpt/out_of_core/threshold.hpp>

namespace lnpt::out_of_core {

/// Refuses ranges with scores that are NaN or infinite, by name and count.
inline void require_finite(std::span<weight_range const> ranges, std::span<std::size_t const> nonfinite) {
  std::string found;
  for (std::size_t r = 0; r != ranges.size(); ++r)
    if (nonfinite[r] != 0)
      found += (found.empty() ? "" : ", ") + std::to_string(nonfinite[r]) + " of " + std::to_string(ranges[r].count) + " in " +
               ranges[r].tensor->tensor.name();
  if (!found.empty())
    fail("weights are NaN or infinite (", found, "), so nothing can be ranked: leave these tensors dense, or mend them");
}

namespace detail {

/// Keys and how many weights have each.
using counted_keys = std::vector<std::pair<key, std::uint64_t>>;

/// Counts all weights of ranges by `counts`, whose codes are the words that are shown; refuses those that are NaN or infinite.
template <class Counts>
void count_finite(io::sharded_model const& model, std::span<weight_range const> ranges, meter& along, Counts& counts) {
  require_finite(ranges, for_each_words(model, ranges, along, [&](planned_tensor const& tensor, auto const& held) {
                   auto const words = held.words(tensor.scores);
                   counts.count(words);
                   return with_codes(tensor.scores, held.bytes, held.keys, tensor.width(), [&](auto codes, auto) {
                     return count_nonfinite(codes, words.size() / sizeof codes[0], tensor.scores, held.bytes);
                   });
                 }));
}

/// The keys of ranges of one narrow type. Cost: one reading.
[[nodiscard]] inline counted_keys count_narrow(io::sharded_model const& model, std::span<weight_range const> ranges,
                                               meter& along) {
  auto const& scores = ranges.front().tensor->scores;
  auto const count_words = [&]<class Code>(Code) {
    code_counts<Code> counts;
    count_finite(model, ranges, along, counts);
    auto const total = counts.total();
    counted_keys found;
    for (std::size_t code = 0; code != total.size(); ++code)
      if (total[code] != 0) found.emplace_back(key_of_code(scores, static_cast<Code>(code)), total[code]);
    return found;
  };
  return ranges.front().tensor->width() == 1 ? count_words(std::uint8_t{}) : count_words(std::uint16_t{});
}

}  // namespace detail

/// The threshold that keeps n of all weights in these ranges. Cost: one reading of 16- and 8-bit weights, two of others; random scores are
/// drawn once.
[[nodiscard]] inline threshold rank_ranges(io::sharded_model const& model, std::span<weight_range const> ranges, std::uint64_t n,
                                           meter& along) {
  if (n == 0) return {};
  if (std::ranges::none_of(ranges, [](weight_range const& each) { return each.tensor->scores.reads(); }))
    return rank_random(model, ranges, n, along);
  std::map<io::dtype, std::vector<weight_range>> narrow;
  std::vector<weight_range> wide;
  for (auto const& range : ranges)
    (range.tensor->scores.is_narrow() ? narrow[range.tensor->scores.type()] : wide).push_back(range);
  detail::counted_keys counted;
  for (auto const& [type, those] : narrow)
    for (auto const& each : detail::count_narrow(model, those, along)) counted.push_back(each);
  std::vector<std::uint64_t> high(high_bins);
  if (!wide.empty()) {
    code_counts<key, low_bits> counts;
    detail::count_finite(model, wide, along, counts);
    high = counts.total();
  }
  for (auto const& [k, count] : counted) high[high_of(k)] += count;
  auto const [bin, rest] = nth_of(high, n);

  std::vector<std::uint64_t> low(low_bins);
  for (auto const& [k, count] : counted)
    if (high_of(k) == bin) low[low_of(k)] += count;
  if (!wide.empty()) {
    low_counts counts(bin);
    static_cast<void>(for_each_words(model, wide, along, [&](planned_tensor const& tensor, auto const& held) {
      counts.count(held.words(tensor.scores));
      return std::uint64_t{0};
    }));
    counts.add_to(low);
  }
  auto const [low_bin, ties] = nth_of(low, rest);
  return {static_cast<key>(bin << low_bits | low_bin), ties, low[low_bin]};
}

}  // namespace lnpt::out_of_core
