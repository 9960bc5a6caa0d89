#pragma once
/// Which weights of a block in memory stay.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <vector>

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
    std::uint64_t decided = 0;
    for (std::size_t tile = 0; tile != keys.size(); tile += m * inner)
      for (std::size_t j = tile; j != tile + inner; ++j)
        for (std::size_t i = 0; i != m; ++i) {
          auto const mine = keys[j + i * inner];
          std::size_t better = 0;
          std::size_t equal = 0;
          std::size_t equal_before = 0;
          for (std::size_t other = 0; other != m; ++other) {
            auto const theirs = keys[j + other * inner];
            better += static_cast<std::size_t>(theirs > mine);
            equal += static_cast<std::size_t>(theirs == mine);
            equal_before += static_cast<std::size_t>(theirs == mine && other < i);
          }
          decided += static_cast<std::uint64_t>(mine != 0 && better < n && better + equal > n);
          detail::keep_word<Word>(stored, j + i * inner, better + equal_before < n);
        }
    return decided;
  });
}

}  // namespace lnpt::out_of_core
