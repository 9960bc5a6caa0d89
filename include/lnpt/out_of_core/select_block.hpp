#pragma once
/// Which weights of a block in memory stay.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <vector>

#include <lnpt/mask/ranked_groups.hpp>
#include <lnpt/out_of_core/keys.hpp>
#include <lnpt/out_of_core/threshold.hpp>

namespace lnpt::out_of_core {

/// The threshold that keeps n of these keys. Cost: a copy of the keys and O(keys).
[[nodiscard]] inline threshold threshold_of(std::span<key const> keys, std::uint64_t n) {
  if (n == 0) return {};
  std::vector<key> order(keys.begin(), keys.end());
  std::ranges::nth_element(order, order.begin() + static_cast<std::ptrdiff_t>(n - 1), std::greater{});
  threshold found{.above = order[static_cast<std::size_t>(n - 1)]};
  std::uint64_t larger = 0;
  for (auto const k : keys) {
    larger += k > found.above;
    found.tied += k == found.above;
  }
  found.ties = n - larger;
  return found;
}

/// Calls `use(Word{})` for the unsigned integer of this many bytes.
template <class Use>
auto with_word(std::size_t width, Use use) {
  if (width == 1) return use(std::uint8_t{});
  if (width == 2) return use(std::uint16_t{});
  return use(std::uint32_t{});
}

namespace detail {
/// The stored word, or zero bytes where it does not stay; at any alignment.
template <class Word>
void keep_word(std::byte* stored, std::size_t i, bool stays) {
  Word word;
  std::memcpy(&word, stored + i * sizeof word, sizeof word);
  word = static_cast<Word>(word & static_cast<Word>(Word{0} - static_cast<Word>(stays)));
  std::memcpy(stored + i * sizeof word, &word, sizeof word);
}
}  // namespace detail

/// Sets the stored weights that the threshold does not keep to zero bytes. `ties` is how many of those that equal it may stay, and is
/// lowered by those that do; returns how many weights stay.
inline std::uint64_t clear_below(std::span<key const> keys, key above, std::uint64_t& ties, std::byte* stored,
                                 std::size_t width) {
  return with_word(width, [&]<class Word>(Word) {
    std::uint64_t kept = 0;
    auto const tied = static_cast<std::uint64_t>(std::ranges::count(keys, above));
    if (ties == 0 || tied <= ties) {  // as a rule: all ties fare alike, so that one comparison tells, many weights at a time
      auto const least = ties == 0 ? std::min(above, largest_key) + 1 : above;
      for (std::size_t i = 0; i != keys.size(); ++i) {
        auto const stays = keys[i] >= least;
        kept += stays;
        detail::keep_word<Word>(stored, i, stays);
      }
      ties -= ties == 0 ? 0 : tied;
      return kept;
    }
    for (std::size_t i = 0; i != keys.size(); ++i) {
      auto const is_tie = keys[i] == above && ties != 0;
      auto const stays = keys[i] > above || is_tie;
      ties -= is_tie;
      kept += stays;
      detail::keep_word<Word>(stored, i, stays);
    }
    return kept;
  });
}

/// Keeps the n best of every m keys that lie `inner` apart, the earlier of equal ones, and sets the others to zero bytes. The keys are
/// whole tiles of m · inner. Returns how many weights their place alone decided.
inline std::uint64_t clear_n_of_m(std::span<key const> keys, std::size_t n, std::size_t m, std::size_t inner, std::byte* stored,
                                  std::size_t width) {
  return with_word(width, [&]<class Word>(Word) {
    return std::uint64_t{lnpt::detail::keep_best_of_groups(
        0, keys.size() / m, n, m, inner, key{0}, [&](std::size_t i) { return keys[i]; },
        [&](std::size_t i, bool stays) { detail::keep_word<Word>(stored, i, stays); })};
  });
}

}  // namespace lnpt::out_of_core
