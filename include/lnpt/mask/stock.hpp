#pragma once
/// Where scores lie relative to a bracket around their threshold, by one reading.
#include <cstddef>
#include <cstdint>
#include <span>
#include <tbb/parallel_for.h>
#include <vector>

#include <lnpt/mask/ranking.hpp>

namespace lnpt::detail {

/// A score whose key fell strictly inside the bracket.
template <class Key>
struct candidate {
  Key key;
  std::uint32_t offset;  ///< from the beginning of its chunk
};

/// Where the scores of one chunk lie relative to the bracket [low, high].
template <class Key>
struct tally {
  std::size_t from_high = 0;  ///< scores at its upper end or above
  std::size_t above_low = 0;  ///< scores above its lower end
  bool all_finite = true;
  std::vector<candidate<Key>> inside;
};

/// The words of a chunk that hold candidates. Adding does not branch: whether a word holds any is hard to predict.
class sparse_words {
 public:
  void add(std::size_t w, mask::word bits) {
    index_[size_] = static_cast<std::uint32_t>(w);
    bits_[size_] = bits;
    size_ += bits != 0;
  }

  /// Calls `visit(i)` for every set bit, counted from the first bit of word 0.
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (std::size_t k = 0; k < size_; ++k)
      for_each_bit(bits_[k], [&](std::size_t i) { visit(index_[k] * mask::word_bits + i); });
  }

 private:
  std::uint32_t index_[chunk::length / mask::word_bits + 1];
  mask::word bits_[chunk::length / mask::word_bits + 1];
  std::size_t size_ = 0;
};

/// One pass over the scores: bits of all that reach the upper end, counts, and the candidates between the ends.
template <class T>
[[nodiscard]] std::vector<tally<typename score_order<T>::key>> take_stock(std::span<ranked_scores<T> const> parameters,
                                                                          std::span<chunk const> chunks, score_order<T> order,
                                                                          bracket<typename score_order<T>::key> ends) {
  std::vector<tally<typename score_order<T>::key>> tallies(chunks.size());
  tbb::parallel_for(std::size_t{0}, chunks.size(), [&](std::size_t c) {
    auto const& range = chunks[c];
    auto const& parameter = parameters[range.parameter];
    auto const first_word = range.begin / mask::word_bits;
    std::size_t from_high = 0;
    std::size_t above_low = 0;
    sparse_words inside;
    auto const all_finite =
        for_each_block<T>(parameter, range, order, [&](std::size_t w, score_block<T> const& block, mask::word among) {
          auto const reaches_high = block.above(ends.high - 1) & among;
          auto const beats_low = block.above(ends.low) & among;
          parameter.kept[w] = reaches_high;
          from_high += count_bits(reaches_high);
          above_low += count_bits(beats_low);
          inside.add(w - first_word, beats_low & ~reaches_high);
        });
    auto& found = tallies[c] = {from_high, above_low, all_finite, {}};
    found.inside.reserve(above_low > from_high ? above_low - from_high : 0);
    inside.for_each([&](std::size_t offset) {
      found.inside.push_back({order(parameter.scores[range.begin + offset]), static_cast<std::uint32_t>(offset)});
    });
  });
  return tallies;
}

/// How many scores that take part are NaN or infinite, by parameter: only finite ones have keys strictly between the extremes. Reads
/// again the chunks that met any.
template <class T>
[[nodiscard]] std::vector<std::size_t> count_non_finite(std::span<ranked_scores<T> const> parameters,
                                                        std::span<chunk const> chunks, score_order<T> order,
                                                        std::span<tally<typename score_order<T>::key> const> tallies) {
  std::vector<std::size_t> counts(parameters.size());
  for (std::size_t c = 0; c < chunks.size(); ++c) {
    if (tallies[c].all_finite) continue;
    auto const p = chunks[c].parameter;
    for_each_block<T>(parameters[p], chunks[c], order, [&](std::size_t, score_block<T> const& block, mask::word among) {
      constexpr auto infinity = score_order<T>::infinity;
      counts[p] += count_bits((block.above(infinity - 1) | ~block.above(-infinity)) & among);
    });
  }
  return counts;
}

/// The sum of a count over all chunks.
template <class Key>
[[nodiscard]] std::size_t sum_of(std::span<tally<Key> const> tallies, std::size_t tally<Key>::* member) {
  std::size_t sum = 0;
  for (auto const& each : tallies) sum += each.*member;
  return sum;
}

}  // namespace lnpt::detail
