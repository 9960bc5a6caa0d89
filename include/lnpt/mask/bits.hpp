#pragma once
/// Small tools for the words of masks.
#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <limits>
#include <span>

#include <lnpt/mask/mask_set.hpp>

namespace lnpt::detail {

/// The single bits of a lane of a vector register: tested against a mask, or gathered into one, without shifts by a variable
/// amount, which older processors lack.
template <class Lane>
inline constexpr auto lane_bits = [] {
  std::array<Lane, std::numeric_limits<Lane>::digits> bits{};
  for (std::size_t i = 0; i < bits.size(); ++i) bits[i] = Lane{1} << i;
  return bits;
}();

[[nodiscard]] inline std::size_t count_bits(mask::word bits) { return static_cast<std::size_t>(std::popcount(bits)); }

[[nodiscard]] inline std::size_t count_bits(std::span<mask::word const> words) {
  std::size_t count = 0;
  for (auto const bits : words) count += count_bits(bits);
  return count;
}

[[nodiscard]] inline bool test_bit(std::span<mask::word const> words, std::size_t i) {
  return (words[i / mask::word_bits] >> (i % mask::word_bits)) & 1;
}

/// The `count` lowest set bits of a word.
[[nodiscard]] inline mask::word lowest_bits(mask::word bits, std::size_t count) {
  if (count >= count_bits(bits)) return bits;
  auto rest = bits;
  for (; count != 0; --count) rest &= rest - 1;
  return bits ^ rest;
}

/// Calls `visit(i)` for every set bit of a word, in order.
template <class Visit>
void for_each_bit(mask::word bits, Visit&& visit) {
  for (; bits != 0; bits &= bits - 1) visit(static_cast<std::size_t>(std::countr_zero(bits)));
}

/// Sets the bits from `begin` up to `end`.
inline void set_bits(std::span<mask::word> words, std::size_t begin, std::size_t end) {
  while (begin < end) {
    auto const first = begin % mask::word_bits;
    auto const length = std::min(mask::word_bits - first, end - begin);
    words[begin / mask::word_bits] |= (~mask::word{0} >> (mask::word_bits - length)) << first;
    begin += length;
  }
}

}  // namespace lnpt::detail
