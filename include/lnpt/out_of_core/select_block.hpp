#pragma once
/// Which weights of a block in memory stay.
#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include <lnpt/mask/ranked_groups.hpp>
#include <lnpt/out_of_core/stored_codes.hpp>
#include <lnpt/out_of_core/threshold.hpp>

namespace lnpt::out_of_core {

/// What stays of codes: those above a bound and, of those that equal it, some.
template <class Code>
struct code_threshold {
  Code bound = 0;          ///< may be one past the largest code
  std::uint64_t tied = 0;  ///< how many codes equal it
  std::uint64_t ties = 0;  ///< how many of those stay

  [[nodiscard]] std::uint64_t decided_by_position() const { return bound == 0 || ties == 0 || ties == tied ? 0 : tied; }
};

/// The threshold that keeps n of these codes, and finds its way with the same memory every time.
template <class Code>
class code_selection {
 public:
  template <class Codes>
  [[nodiscard]] code_threshold<Code> operator()(Codes codes, std::size_t size, std::uint64_t n) {
    if (n == 0) return {.bound = largest_code<Code> + 1};
    constexpr int bits = std::numeric_limits<Code>::digits - 1;
    if (size <= few) return among(codes, size, n, Code{0}, bits);
    // The highest bits tell most codes apart; few have those of the n-th. Units are of 2¹⁹ codes at most.
    constexpr auto shift = bits - std::min(bits, 11);
    count(codes, size, shift, std::size_t{1} << (bits - shift));
    auto const [bin, rest] = nth_of(counts_, n);
    auto const high = static_cast<Code>(bin);
    if (shift == 0) return {high, counts_[bin], rest};
    alike_.resize(size);
    std::size_t count = 0;
    for (std::size_t i = 0; i != size; ++i) {
      alike_[count] = codes[i];
      count += codes[i] >> shift == high;
    }
    return among(held_codes<Code>{alike_.data()}, count, rest, static_cast<Code>(high << shift), shift);
  }

 private:
  /// So many codes are compared with a bound, once for each of its bits and many at a time, in less time than a histogram of them takes.
  static constexpr std::size_t few = sizeof(Code) == 1 ? 32768 : sizeof(Code) == 2 ? 16384 : 512;

  /// The threshold of codes that equal `bound` but for its lowest `bits` bits, which are 0 there; finds those from the highest.
  template <class Codes>
  [[nodiscard]] static code_threshold<Code> among(Codes codes, std::size_t size, std::uint64_t n, Code bound, int bits) {
    auto const count_from = [=](Code least) { return count_codes<Code>(size, [=](std::size_t i) { return codes[i] >= least; }); };
    std::uint64_t reach = size;  // how many codes are not below the bound
    while (bits-- != 0 && reach != n) {
      auto const higher = static_cast<Code>(bound | (Code{1} << bits));
      if (auto const there = count_from(higher); there >= n) {
        bound = higher;
        reach = there;
      }
    }
    auto const larger = count_from(static_cast<Code>(bound + 1));
    return {bound, reach - larger, reach == n ? reach - larger : n - larger};
  }

  /// Counts the codes by their high bits. Equal neighbours among 8-bit ones are many, and wait for one another in one histogram.
  template <class Codes>
  void count(Codes codes, std::size_t size, int shift, std::size_t bins) {
    constexpr std::size_t lanes = sizeof(Code) == 1 ? 4 : 1;
    counts_.assign(lanes * bins, 0);
    auto* const counts = counts_.data();
    std::size_t i = 0;
    for (; i + lanes <= size; i += lanes)
      for (std::size_t lane = 0; lane != lanes; ++lane)
        ++counts[lane * bins + static_cast<std::size_t>(codes[i + lane] >> shift)];
    for (; i < size; ++i) ++counts[static_cast<std::size_t>(codes[i] >> shift)];
    for (i = bins; i != lanes * bins; ++i) counts[i % bins] += counts[i];
    counts_.resize(bins);
  }

  std::vector<std::uint32_t> counts_;
  std::vector<Code> alike_;
};

namespace detail {
/// The stored word, or zero bytes where it does not stay; at any alignment.
template <class Word>
void keep_word(std::byte* stored, std::size_t i, bool stays) {
  Word word;
  std::memcpy(&word, stored + i * sizeof word, sizeof word);
  word = static_cast<Word>(word & static_cast<Word>(Word{0} - static_cast<Word>(stays)));
  std::memcpy(stored + i * sizeof word, &word, sizeof word);
}

/// Keeps the words whose codes are not below a bound; returns how many.
template <class Word, class Codes>
std::uint64_t keep_from(Codes codes, std::size_t size, typename Codes::code bound, std::byte* stored) {
  return count_codes<typename Codes::code>(size, [=](std::size_t i) {
    auto const stays = codes[i] >= bound;
    keep_word<Word>(stored, i, stays);
    return stays;
  });
}

/// The place after the last tie that stays, where some do.
template <class Codes, class Code>
[[nodiscard]] std::size_t end_of_ties(Codes codes, std::size_t size, code_threshold<Code> const& found) {
  constexpr std::size_t run = 1024;
  auto const is_tie = [codes, bound = found.bound](std::size_t i) { return codes[i] == bound; };
  auto left = found.ties;
  std::size_t begin = 0;
  for (; begin + run <= size; begin += run) {
    auto const here = count_codes<Code>(run, [=](std::size_t i) { return is_tie(begin + i); });
    if (here >= left) break;
    left -= here;
  }
  for (; left != 0 && begin != size; ++begin) left -= is_tie(begin);
  return begin;
}
}  // namespace detail

/// Sets the stored words that the threshold does not keep to zero bytes, of its ties the later ones; returns how many stay.
template <class Word, class Codes, class Code>
std::uint64_t clear_below(Codes codes, std::size_t size, code_threshold<Code> found, std::byte* stored) {
  // As a rule all ties fare alike, so that one comparison tells, many weights at a time.
  if (found.ties == found.tied) return detail::keep_from<Word>(codes, size, found.bound, stored);
  if (found.ties == 0) return detail::keep_from<Word>(codes, size, static_cast<Code>(found.bound + 1), stored);
  auto const split = detail::end_of_ties(codes, size, found);
  return detail::keep_from<Word>(codes, split, found.bound, stored) + detail::keep_from<Word>(codes.from(split), size - split,
                                                                                              static_cast<Code>(found.bound + 1),
                                                                                              stored + split * sizeof(Word));
}

/// Keeps the n best of every m codes that lie `inner` apart, the earlier of equal ones, and sets the other words to zero bytes. The codes
/// are whole tiles of m · inner. Returns how many weights their place alone decided.
template <class Word, class Codes>
std::uint64_t clear_n_of_m(Codes codes, std::size_t size, std::size_t n, std::size_t m, std::size_t inner, std::byte* stored) {
  using code = typename Codes::code;
  return lnpt::detail::keep_best_of_groups(
      0, size / m, n, m, inner, code{0}, [=](std::size_t i) { return codes[i]; },
      [=](std::size_t i, bool stays) { detail::keep_word<Word>(stored, i, stays); });
}

}  // namespace lnpt::out_of_core
