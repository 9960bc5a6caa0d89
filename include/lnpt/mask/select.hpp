#pragma once
/// The n best scores of several parameters, exactly, in about one reading of the scores.
#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <numeric>
#include <span>
#include <tbb/parallel_for.h>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/mask/nth_key.hpp>
#include <lnpt/mask/ranking.hpp>
#include <lnpt/mask/sample.hpp>
#include <lnpt/mask/stock.hpp>

namespace lnpt {

namespace detail {

/// The n best of some scores. Sampling finds a narrow bracket around the threshold; one pass writes the bits of the scores above it
/// and collects the few inside it, among which the threshold is then looked up. Ties at an end of the bracket, which is where a
/// frequent score ends up, and samples that misled cost further passes, never a different answer.
template <std::floating_point T>
class selector {
 public:
  using key = typename score_order<T>::key;

  selector(std::span<ranked_scores<T> const> parameters, std::size_t n, keep_end end)
      : parameters_(parameters), order_(end), chunks_(chunks_of(parameters)), wanted_(n) {}

  /// Writes the bits.
  [[nodiscard]] ranking_outcome run() {
    auto const ranked = count_ranked();
    if (wanted_ > ranked) fail("cannot keep ", wanted_, " of ", ranked, " ranked scores: ask for at most ", ranked);
    take_stock(first_bracket(ranked));
    if (auto counts = non_finite(); !counts.empty()) return {.non_finite = std::move(counts)};
    if (auto const from_high = total(&tally<key>::from_high); from_high > wanted_)
      settle_at(ends_.high, {ends_.high, highest_key}, wanted_);
    else if (auto const above_low = total(&tally<key>::above_low); above_low < wanted_)
      settle_at(ends_.low, {lowest_key, ends_.low}, wanted_ - above_low);
    else if (from_high < wanted_)
      add_candidates(wanted_ - from_high);
    return {.tied = std::move(tied_), .tied_kept = tied_kept_};
  }

 private:
  static constexpr key lowest_key = -score_order<T>::infinity;
  static constexpr key highest_key = score_order<T>::infinity;

  template <class Body>
  void for_each_chunk(Body&& body) const {
    tbb::parallel_for(std::size_t{0}, chunks_.size(), body);
  }

  template <class Visit>
  bool for_each_block_of(chunk const& range, Visit&& visit) const {
    return for_each_block<T>(parameters_[range.parameter], range, order_, visit);
  }

  [[nodiscard]] std::size_t count_ranked() const {
    std::size_t ranked = 0;
    for (auto const& parameter : parameters_) ranked += ranked_count(parameter);
    return ranked;
  }

  [[nodiscard]] bracket<key> first_bracket(std::size_t ranked) const {
    constexpr std::size_t worth_sampling = 1 << 13;
    constexpr double deviations = 4.5;
    if (wanted_ == 0) return {highest_key, highest_key};
    if (wanted_ == ranked) return {lowest_key, lowest_key};
    if (ranked < worth_sampling) return {lowest_key, highest_key};

    auto keys = sample_keys(parameters_, order_);
    auto const drawn = static_cast<double>(keys.size());
    auto const fraction = static_cast<double>(wanted_) / static_cast<double>(ranked);
    auto const margin = deviations * std::sqrt(drawn * fraction * (1 - fraction)) + 1;
    auto last = keys.end();
    auto const key_at = [&](double place, key beyond) {
      if (place < 0 || place >= drawn) return beyond;
      auto const nth = keys.begin() + static_cast<std::ptrdiff_t>(place);
      std::nth_element(keys.begin(), nth, last, std::greater<>());
      last = nth + 1;
      return *nth;
    };
    auto const low = key_at(drawn * fraction + margin, lowest_key);
    return {low, key_at(drawn * fraction - margin, highest_key)};
  }

  void take_stock(bracket<key> ends) {
    ends_ = ends;
    tallies_ = detail::take_stock(parameters_, std::span<chunk const>(chunks_), order_, ends);
  }

  /// Counts of the scores that cannot be ranked; empty where there are none.
  [[nodiscard]] std::vector<std::size_t> non_finite() const {
    auto counts = count_non_finite(parameters_, std::span<chunk const>(chunks_), order_, std::span<tally<key> const>(tallies_));
    if (std::ranges::all_of(counts, [](auto count) { return count == 0; })) counts.clear();
    return counts;
  }

  [[nodiscard]] std::size_t total(std::size_t tally<key>::* member) const {
    return sum_of(std::span<tally<key> const>(tallies_), member);
  }

  /// The threshold is not strictly inside the bracket: usually it is `guess`, the end that the count points to, with its ties. If the
  /// sample misled it is the n-th key of `range`.
  void settle_at(key guess, bracket<key> range, std::size_t n) {
    auto const holds_threshold = [&](key k) {
      if (ends_.low != k || ends_.high != k) take_stock({k, k});
      return total(&tally<key>::above_low) <= wanted_ && wanted_ <= total(&tally<key>::from_high);
    };
    if (!holds_threshold(guess)) {
      auto const [exact, place] = nth_key(range, n, chunks_.size(), [&](std::size_t c, auto&& visit) {
        for_each_block_of(chunks_[c], [&](std::size_t, score_block<T> const& block, mask::word among) {
          for_each_bit(among, [&](std::size_t i) { visit(block[i]); });
        });
      });
      take_stock({exact, exact});
    }
    keep_ties();
  }

  /// The threshold lies among the candidates: keeps the n best of them.
  void add_candidates(std::size_t n) {
    auto [threshold, available] = nth_key(ends_, n, chunks_.size(), [&](std::size_t c, auto&& visit) {
      for (auto const& each : tallies_[c].inside) visit(each.key);
    });
    std::vector<std::size_t> ties(chunks_.size());
    for_each_chunk([&, bound = threshold](std::size_t c) {
      for (auto const& each : tallies_[c].inside) {
        if (each.key > bound) keep(c, each.offset);
        ties[c] += each.key == bound;
      }
    });
    note_ties(ties, available);
    for (std::size_t c = 0; available != 0; ++c) {
      if (ties[c] == 0) continue;
      for (auto const& each : tallies_[c].inside) {
        if (each.key != threshold || available == 0) continue;
        keep(c, each.offset);
        --available;
      }
    }
  }

  void keep(std::size_t c, std::size_t offset) const {
    auto const i = chunks_[c].begin + offset;
    parameters_[chunks_[c].parameter].kept[i / mask::word_bits] |= mask::word{1} << (i % mask::word_bits);
  }

  /// Both ends are the threshold: writes all bits anew, every score above it and, of those that equal it, the first.
  void keep_ties() {
    auto const threshold = ends_.high;
    std::vector<std::size_t> ties(chunks_.size());
    for (std::size_t c = 0; c < chunks_.size(); ++c) ties[c] = tallies_[c].from_high - tallies_[c].above_low;
    auto available = wanted_ - total(&tally<key>::above_low);
    note_ties(ties, available);
    for (auto& each : ties) {
      each = std::min(each, available);
      available -= each;
    }
    for_each_chunk([&](std::size_t c) {
      auto const kept = parameters_[chunks_[c].parameter].kept;
      for_each_block_of(chunks_[c], [&, left = ties[c]](std::size_t w, score_block<T> const& block, mask::word among) mutable {
        auto const above = block.above(threshold) & among;
        auto const taken = lowest_bits(kept[w] & ~above, left);
        left -= count_bits(taken);
        kept[w] = above | taken;
      });
    });
  }

  /// Notes how many scores equal the threshold, by parameter, if some of them stay and others go.
  void note_ties(std::vector<std::size_t> const& ties, std::size_t available) {
    tied_.clear();
    if (available == 0 || available == std::accumulate(ties.begin(), ties.end(), std::size_t{0})) return;
    tied_kept_ = available;
    tied_.resize(parameters_.size());
    for (std::size_t c = 0; c < ties.size(); ++c) tied_[chunks_[c].parameter] += ties[c];
  }

  std::span<ranked_scores<T> const> parameters_;
  score_order<T> order_;
  std::vector<chunk> chunks_;
  std::size_t wanted_;
  bracket<key> ends_{};
  std::vector<tally<key>> tallies_;
  std::vector<std::size_t> tied_;
  std::size_t tied_kept_ = 0;
};

}  // namespace detail

/// Keeps the n best of all scores: the larger first (the smaller for `rank::lowest`), among equal scores (−0 equals +0) the one that
/// comes first by parameter and index. Writes the `kept` words; the same bits for any number of threads.
///
/// Cost: one parallel reading of the scores, a few where very many are equal; memory for about one score in a hundred.
template <std::floating_point T>
[[nodiscard]] ranking_outcome keep_largest(std::span<ranked_scores<T> const> parameters, std::size_t n,
                                           keep_end end = keep_end::highest) {
  return detail::selector<T>(parameters, n, end).run();
}

}  // namespace lnpt
