#pragma once
/// The pieces of an exact ranking: the order of scores, the fixed chunks that threads share, and 64 scores compared at once.
#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <type_traits>
#include <vector>

#include <lnpt/mask/bits.hpp>
#include <lnpt/mask/mask_set.hpp>

namespace lnpt {

/// Which end of a ranking stays.
enum class keep_end { highest, lowest };

/// One parameter of a ranking. `kept` and `among` hold one bit per score, as the words of a `mask` do, and share no memory.
template <std::floating_point T>
struct ranked_scores {
  std::span<T const> scores;
  std::span<mask::word> kept;              ///< written: which scores stay
  std::span<mask::word const> among = {};  ///< only these take part; empty: all
};

/// What a ranking met, by part.
struct ranking_outcome {
  std::vector<std::size_t> non_finite =
      {};  ///< NaN and infinite scores; empty where there are none. Otherwise `kept` means nothing
  std::vector<std::size_t> tied =
      {};                     ///< scores equal to the threshold, where not all of them stay: decided by their place alone
  std::size_t tied_kept = 0;  ///< how many of those stay, the first by part
};

namespace detail {

/// How many scores of a parameter take part.
template <class T>
[[nodiscard]] std::size_t ranked_count(ranked_scores<T> const& parameter) {
  return parameter.among.empty() ? parameter.scores.size() : count_bits(parameter.among);
}

/// Scores as integers that sort the same way. Integer comparisons make −0 equal +0 and tell denormals apart whatever mode the
/// processor is in.
template <std::floating_point T>
struct score_order {
  using key = std::conditional_t<sizeof(T) == sizeof(std::int32_t), std::int32_t, std::int64_t>;
  static_assert(sizeof(key) == sizeof(T) && std::numeric_limits<T>::is_iec559);

  static constexpr key infinity = std::bit_cast<key>(std::numeric_limits<T>::infinity());

  explicit score_order(keep_end end) : flip(end == keep_end::highest ? key{0} : key{-1}) {}

  [[nodiscard]] static key magnitude(T score) { return std::bit_cast<key>(score) & std::numeric_limits<key>::max(); }

  /// Larger is more worth keeping; every finite score lies strictly between −infinity and infinity.
  [[nodiscard]] key operator()(T score) const {
    auto const sign = static_cast<key>((std::bit_cast<key>(score) >> std::numeric_limits<key>::digits) ^ flip);
    return static_cast<key>((magnitude(score) ^ sign) - sign);
  }

  key flip;  ///< all ones turns the order around
};

/// The keys between which the threshold is believed to lie.
template <class Key>
struct bracket {
  Key low;
  Key high;
};

/// A range of one parameter that one thread handles: whole words, and a size that does not depend on the number of threads.
struct chunk {
  static constexpr std::size_t length = std::size_t{1} << 16;
  std::size_t parameter;
  std::size_t begin;
  std::size_t end;
};

template <class T>
[[nodiscard]] std::vector<chunk> chunks_of(std::span<ranked_scores<T> const> parameters) {
  std::vector<chunk> chunks;
  for (std::size_t p = 0; p < parameters.size(); ++p)
    for (std::size_t begin = 0, size = parameters[p].scores.size(); begin < size; begin += chunk::length)
      chunks.push_back({p, begin, std::min(begin + chunk::length, size)});
  return chunks;
}

/// The keys of 64 scores at a time, and comparisons of them as words. Fixed-length loops without branches, over arrays of one
/// object: what compilers turn into vector instructions without being told more.
template <class T>
class score_block {
 public:
  using key = typename score_order<T>::key;

  explicit score_block(score_order<T> order) : order_(order) { std::fill_n(finite_, mask::word_bits, key{-1}); }

  void load(T const* scores) {
    for (std::size_t i = 0; i < mask::word_bits; ++i) {
      keys_[i] = order_(scores[i]);
      finite_[i] &= score_order<T>::magnitude(scores[i]) - score_order<T>::infinity;
    }
  }

  [[nodiscard]] key operator[](std::size_t i) const { return keys_[i]; }

  /// Bit i says whether key i is above the bound.
  [[nodiscard]] mask::word above(key bound) const {
    mask::word packed = 0;
    for (std::size_t first = 0; first < mask::word_bits; first += lanes) {
      lane bits = 0;
      for (std::size_t i = 0; i < lanes; ++i) {
        auto const is_above = static_cast<lane>(keys_[first + i] > bound);
        bits |= static_cast<lane>(lane{0} - is_above) & lane_bits<lane>[i];
      }
      packed |= mask::word{bits} << first;
    }
    return packed;
  }

  /// Whether all scores loaded so far were finite.
  [[nodiscard]] bool all_finite() const {
    return std::all_of(finite_, finite_ + mask::word_bits, [](key k) { return k < 0; });
  }

 private:
  using lane = std::make_unsigned_t<key>;
  static constexpr std::size_t lanes = std::numeric_limits<lane>::digits;

  score_order<T> order_;
  key keys_[mask::word_bits];
  key finite_[mask::word_bits];  ///< negative while the magnitudes loaded here were below infinity
};

/// Calls `visit(word index, block, bits that take part)` for every 64 scores of a chunk; returns whether all scores, taking part
/// or not, were finite.
template <class T, class Visit>
bool for_each_block(ranked_scores<T> const& parameter, chunk const& range, score_order<T> order, Visit&& visit) {
  auto const among = [&](std::size_t w) { return parameter.among.empty() ? ~mask::word{0} : parameter.among[w]; };
  auto const* const scores = parameter.scores.data();
  score_block<T> block(order);
  auto i = range.begin;
  for (; i + mask::word_bits <= range.end; i += mask::word_bits) {
    block.load(scores + i);
    visit(i / mask::word_bits, block, among(i / mask::word_bits));
  }
  if (i < range.end) {
    std::array<T, mask::word_bits> padded{};
    std::copy(scores + i, scores + range.end, padded.begin());
    block.load(padded.data());
    visit(i / mask::word_bits, block, among(i / mask::word_bits) & ((mask::word{1} << (range.end - i)) - 1));
  }
  return block.all_finite();
}

}  // namespace detail
}  // namespace lnpt
