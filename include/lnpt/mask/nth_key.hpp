#pragma once
/// The exact n-th of many integer keys, without moving them.
#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <tbb/enumerable_thread_specific.h>
#include <tbb/parallel_for.h>
#include <type_traits>
#include <utility>

#include <lnpt/mask/ranking.hpp>

namespace lnpt::detail {

/// A range of keys, ends included, cut into at most 2048 buckets of one width.
template <class Key>
class key_buckets {
 public:
  static constexpr int bits = 11;
  using counts = std::array<std::uint64_t, std::size_t{1} << bits>;

  explicit key_buckets(bracket<Key> range)
      : range_(range),
        width_(static_cast<offset>(static_cast<offset>(range.high) - static_cast<offset>(range.low))),
        shift_(std::max(0, static_cast<int>(std::bit_width(width_)) - bits)) {}

  /// Counts a key, unless it lies outside of the range.
  void count(Key key, counts& into) const {
    if (range_.low <= key && key <= range_.high)
      ++into[static_cast<std::size_t>(static_cast<offset>(static_cast<offset>(key) - static_cast<offset>(range_.low)) >> shift_)];
  }
  [[nodiscard]] std::size_t last() const { return static_cast<std::size_t>(width_ >> shift_); }
  /// The keys of one bucket.
  [[nodiscard]] bracket<Key> operator[](std::size_t bucket) const {
    auto const low = static_cast<offset>(range_.low);
    auto const first = static_cast<offset>(static_cast<offset>(bucket) << shift_);
    auto const end = std::min(static_cast<offset>(first + ((offset{1} << shift_) - 1)), width_);
    return {static_cast<Key>(static_cast<offset>(low + first)), static_cast<Key>(static_cast<offset>(low + end))};
  }

 private:
  using offset =
      std::make_unsigned_t<Key>;  // of a key from the lower end; wraps around where the range is wider than Key can say

  bracket<Key> range_;
  offset width_;
  int shift_;
};

/// The n-th largest (n from 1) of the keys that lie in a range, ends included, and which of its equals it is (from 1).
///
/// `for_each_key(part, visit)` shows the keys of one of `parts` parts, also those outside of the range. Each parallel pass over all of
/// them narrows the range 2048-fold by a histogram, to which `complete(counts)` adds what other processes counted.
template <class Key, class ForEachKey, class Complete>
[[nodiscard]] std::pair<Key, std::size_t> nth_key(bracket<Key> range, std::size_t n, std::size_t parts, ForEachKey&& for_each_key,
                                                  Complete&& complete) {
  using histogram = typename key_buckets<Key>::counts;
  while (range.low != range.high) {
    key_buckets<Key> const buckets(range);
    tbb::enumerable_thread_specific<histogram> partial([] { return histogram{}; });
    tbb::parallel_for(std::size_t{0}, parts, [&](std::size_t part) {
      auto& counts = partial.local();
      for_each_key(part, [&](Key key) { buckets.count(key, counts); });
    });
    histogram total{};
    for (auto const& counts : partial)
      for (std::size_t bucket = 0; bucket < total.size(); ++bucket) total[bucket] += counts[bucket];
    complete(total);
    auto bucket = buckets.last();
    for (; total[bucket] < n; --bucket) n -= static_cast<std::size_t>(total[bucket]);
    range = buckets[bucket];
  }
  return {range.low, n};
}

/// The same where one process has all keys.
template <class Key, class ForEachKey>
[[nodiscard]] std::pair<Key, std::size_t> nth_key(bracket<Key> range, std::size_t n, std::size_t parts,
                                                  ForEachKey&& for_each_key) {
  return nth_key(range, n, parts, for_each_key, [](auto const&) {});
}

}  // namespace lnpt::detail
