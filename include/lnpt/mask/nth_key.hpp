#pragma once
/// The exact n-th of many integer keys, without moving them.
#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <tbb/enumerable_thread_specific.h>
#include <tbb/parallel_for.h>
#include <type_traits>
#include <utility>

#include <lnpt/mask/ranking.hpp>

namespace lnpt::detail {

/// The n-th largest (n from 1) of the keys that lie in a range, ends included, and which of its equals it is (from 1).
///
/// `for_each_key(part, visit)` shows the keys of one of `parts` parts, also those outside of the range. Each parallel pass over all of
/// them narrows the range 2048-fold by a histogram.
template <class Key, class ForEachKey>
[[nodiscard]] std::pair<Key, std::size_t> nth_key(bracket<Key> range, std::size_t n, std::size_t parts,
                                                  ForEachKey&& for_each_key) {
  using offset =
      std::make_unsigned_t<Key>;  // of a key from the lower end; wraps around where the range is wider than Key can say
  constexpr int bits = 11;
  using histogram = std::array<std::size_t, std::size_t{1} << bits>;
  while (range.low != range.high) {
    auto const low = static_cast<offset>(range.low);
    auto const width = static_cast<offset>(static_cast<offset>(range.high) - low);
    auto const shift = std::max(0, static_cast<int>(std::bit_width(width)) - bits);
    tbb::enumerable_thread_specific<histogram> partial([] { return histogram{}; });
    tbb::parallel_for(std::size_t{0}, parts, [&](std::size_t part) {
      auto& counts = partial.local();
      for_each_key(part, [&](Key key) {
        if (range.low <= key && key <= range.high)
          ++counts[static_cast<std::size_t>(static_cast<offset>(static_cast<offset>(key) - low) >> shift)];
      });
    });
    auto const count_of = [&](std::size_t bucket) {
      std::size_t sum = 0;
      for (auto const& counts : partial) sum += counts[bucket];
      return sum;
    };
    auto bucket = static_cast<std::size_t>(width >> shift);
    for (auto count = count_of(bucket); count < n; count = count_of(--bucket)) n -= count;
    auto const first = static_cast<offset>(static_cast<offset>(bucket) << shift);
    auto const last = std::min(static_cast<offset>(first + ((offset{1} << shift) - 1)), width);
    range = {static_cast<Key>(static_cast<offset>(low + first)), static_cast<Key>(static_cast<offset>(low + last))};
  }
  return {range.low, n};
}

}  // namespace lnpt::detail
