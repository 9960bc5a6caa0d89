#pragma once
/// The threshold of scores drawn at random.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <numeric>
#include <span>
#include <tbb/enumerable_thread_specific.h>
#include <utility>
#include <vector>

#include <lnpt/out_of_core/blocks.hpp>
#include <lnpt/out_of_core/stored_codes.hpp>
#include <lnpt/out_of_core/threshold.hpp>

namespace lnpt::out_of_core {

namespace detail {

/// Keys about 1 − n/N, where the n-th largest of N numbers of U(0, 1) lies: so many of its standard deviations √(n/N (1 − n/N) / N) and of the
/// distances 1/N between two numbers to each side, and as many roundings of a float.
[[nodiscard]] inline std::pair<key, key> expected_keys(std::uint64_t n, std::uint64_t all, double deviations) {
  auto const count = static_cast<double>(all);
  auto const place = 1 - static_cast<double>(n) / count;
  auto const margin = deviations * (std::sqrt(place * (1 - place) / count) + 1 / count + 0x1p-24);
  auto const key_at = [](double score) { return key_of(static_cast<float>(std::clamp(score, 0.0, 1.0))); };
  return {key_at(place - margin), key_at(place + margin)};
}

/// Appends those of the keys that lie between two, ends included.
inline void collect_between(std::span<key const> keys, key low, key high, std::vector<key>& found) {
  constexpr std::size_t several = 32;  // few keys lie there, so that one branch passes over many
  auto const is_there = [=](key k) { return k - low <= high - low; };
  auto const add = [&](std::span<key const> some) { std::ranges::copy_if(some, std::back_inserter(found), is_there); };
  for (; keys.size() >= several; keys = keys.subspan(several)) {
    key any = 0;
    for (std::size_t i = 0; i != several; ++i) any |= static_cast<key>(is_there(keys[i]));
    if (any != 0) add(keys.first(several));
  }
  add(keys);
}

/// The threshold that keeps n (from 1) of these keys, which it moves about.
[[nodiscard]] inline threshold nth_of_keys(std::vector<key>& keys, std::uint64_t n) {
  auto const nth = keys.begin() + static_cast<std::ptrdiff_t>(n - 1);
  std::nth_element(keys.begin(), nth, keys.end(), std::greater{});
  auto const above = *nth;
  auto const larger = static_cast<std::uint64_t>(std::count_if(keys.begin(), nth, [above](key k) { return k > above; }));
  return {above, n - larger, static_cast<std::uint64_t>(std::ranges::count(keys, above))};
}

}  // namespace detail

/// The threshold that keeps n (from 1) of ranges whose scores are drawn at random, by one drawing: where it lies is known beforehand but for
/// one time in 10⁸, and the few keys about there are kept in mind. Where chance has put it elsewhere it is looked for farther around.
[[nodiscard]] inline threshold rank_random(io::sharded_model const& model, std::span<weight_range const> ranges, std::uint64_t n,
                                           meter& along, double deviations = 6) {
  auto const all = std::accumulate(ranges.begin(), ranges.end(), std::uint64_t{0},
                                   [](std::uint64_t sum, weight_range const& each) { return sum + each.count; });
  for (;; deviations *= 8) {
    auto const about = detail::expected_keys(n, all, deviations);
    tbb::enumerable_thread_specific<std::vector<key>> found;
    auto const beyond = for_each_words(model, ranges, along, [&](planned_tensor const&, auto const& held) {
      std::span<key const> const keys(held.keys);
      detail::collect_between(keys, about.first, about.second, found.local());
      return count_codes<key>(keys.size(), [&](std::size_t i) { return keys[i] > about.second; });
    });
    auto const larger = std::accumulate(beyond.begin(), beyond.end(), std::uint64_t{0});
    std::vector<key> between;
    for (auto const& each : found) between.insert(between.end(), each.begin(), each.end());
    if (larger < n && n <= larger + between.size()) return detail::nth_of_keys(between, n - larger);
  }
}

}  // namespace lnpt::out_of_core
