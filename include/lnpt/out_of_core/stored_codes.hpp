#pragma once
/// Scores of stored weights compared and counted many at a time, as a rule without a copy in another type.
#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>

#include <lnpt/out_of_core/keys.hpp>

namespace lnpt::out_of_core {

/// Calls `use(Word{})` for the unsigned integer of this many bytes.
template <class Use>
auto with_word(std::size_t width, Use use) {
  if (width == 1) return use(std::uint8_t{});
  if (width == 2) return use(std::uint16_t{});
  return use(std::uint32_t{});
}

/// The largest code of a word: all of its bits but the sign.
template <class Word>
inline constexpr Word largest_code = std::numeric_limits<Word>::max() >> 1;

/// Stored words without their sign, at any alignment. They sort as the keys do where the source of scores is coded.
template <class Word>
struct stored_codes {
  using code = Word;
  std::byte const* stored;

  [[nodiscard]] code operator[](std::size_t i) const {
    Word word;
    std::memcpy(&word, stored + i * sizeof word, sizeof word);
    return word & largest_code<Word>;
  }
  [[nodiscard]] stored_codes from(std::size_t first) const { return {stored + first * sizeof(Word)}; }
};

/// Codes that lie in memory as they are.
template <class Code>
struct held_codes {
  using code = Code;
  Code const* codes;

  [[nodiscard]] code operator[](std::size_t i) const { return codes[i]; }
  [[nodiscard]] held_codes from(std::size_t first) const { return {codes + first}; }
};

/// Keys of their own, of weights that are scaled or scored at random.
using key_codes = held_codes<key>;

/// Calls `use(codes, Word{})` with the codes of weights whose stored bytes and, unless they are coded, keys are given.
template <class Use>
auto with_codes(score_source const& scores, std::span<std::byte const> stored, std::span<key const> keys, std::size_t width,
                Use use) {
  return with_word(width, [&]<class Word>(Word word) {
    if (scores.is_coded()) return use(stored_codes<Word>{stored.data()}, word);
    return use(key_codes{keys.data()}, word);
  });
}

namespace detail {
/// The key of a code.
template <class Code>
[[nodiscard]] key key_of_code(score_source const& scores, Code code) {
  if (!scores.is_coded()) return code;
  std::array<std::byte, sizeof(key)> stored{};
  std::memcpy(stored.data(), &code, sizeof code);
  std::array<key, 1> result;
  scores.keys(0, stored, result);
  return result[0];
}
}  // namespace detail

/// The smallest code whose key is not below another; one past the largest code where all are.
template <class Code>
[[nodiscard]] Code least_code(score_source const& scores, key least) {
  if (least > largest_key) return largest_code<Code> + 1;
  Code code = 0;
  for (auto bit = static_cast<Code>((largest_code<Code> >> 1) + 1); bit != 0; bit >>= 1)  // all below `code` have smaller keys
    if (detail::key_of_code(scores, static_cast<Code>((code | bit) - 1)) < least) code |= bit;
  return detail::key_of_code(scores, code) < least ? static_cast<Code>(code + 1) : code;
}

/// How many places below `size` have a property of their code. Counts of short runs fit a code, so that compilers count as many at a time as they compare.
template <class Code, class Property>
[[nodiscard]] std::uint64_t count_codes(std::size_t size, Property has) {
  constexpr auto run = std::size_t{largest_code<Code>} + 1;
  auto const count_run = [has](std::size_t begin, std::size_t length) {
    Code here = 0;
    for (auto i = begin; i < begin + length; ++i) here = static_cast<Code>(here + static_cast<Code>(has(i)));
    return std::uint64_t{here};
  };
  std::uint64_t count = 0;
  std::size_t begin = 0;
  for (; begin + run <= size; begin += run) count += count_run(begin, run);
  return count + count_run(begin, size - begin);
}

/// How many of the weights are NaN or infinite.
template <class Codes>
[[nodiscard]] std::uint64_t count_nonfinite(Codes codes, std::size_t size, score_source const& scores,
                                            std::span<std::byte const> stored) {
  using code = typename Codes::code;
  auto const least = least_code<code>(scores, infinity_key);
  auto count = count_codes<code>(size, [codes, least](std::size_t i) { return codes[i] >= least; });
  if (!scores.has_unsigned_nan()) return count;
  auto const nan = std::byte{0x80};
  return count + static_cast<std::uint64_t>(std::ranges::count(stored.first(size), nan));
}

}  // namespace lnpt::out_of_core
