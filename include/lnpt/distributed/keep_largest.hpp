#pragma once
/// The n best scores exactly, where each process holds some of them.
#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <tbb/parallel_for.h>
#include <vector>

#include <lnpt/core/communicator.hpp>
#include <lnpt/core/error.hpp>
#include <lnpt/distributed/common_sample.hpp>
#include <lnpt/distributed/gathered_values.hpp>
#include <lnpt/distributed/together.hpp>
#include <lnpt/mask/nth_key.hpp>
#include <lnpt/mask/ranking.hpp>
#include <lnpt/mask/sample.hpp>
#include <lnpt/mask/stock.hpp>

namespace lnpt {

/// A range of one parameter's scores that this process holds. `kept` and `among` hold one bit per score, as the words of a `mask` do.
template <std::floating_point T>
struct scores_at {
  std::size_t parameter = 0;   ///< which, in the order of all processes' parameters
  std::size_t first = 0;       ///< the place of the first score in its parameter
  ranked_scores<T> part = {};  ///< the scores; `kept` is written
};

namespace detail {

/// This process's part of a ranking that several share: as `selector` (mask/select.hpp), with counts that are sums.
template <std::floating_point T>
class distributed_selector {
 public:
  using order = score_order<T>;
  using key = typename order::key;

  distributed_selector(std::span<scores_at<T> const> mine, keep_end end) : mine_(mine), order_(end) {
    for (auto const& each : mine) parts_.push_back(each.part);
    chunks_ = chunks_of(parts());
  }

  [[nodiscard]] std::vector<std::byte> sample(std::size_t ranks) const {
    std::uint64_t ranked = 0;
    for (auto const& part : parts_) ranked += ranked_count(part);
    auto const most = common_sample<key>::most(ranks);
    auto const keys = sample_keys(parts(), order_, most);
    return common_sample<key>::message(ranked, std::span(keys).first(std::min(keys.size(), most)));
  }

  /// Writes the bits; returns how many scores of all processes equal the threshold, if some of them stay and others go. Stops where
  /// some process has scores that cannot be ranked: those have `require_finite` say so.
  template <class R>
  [[nodiscard]] std::size_t keep(std::size_t n, common_sample<key> const& drawn, R& ranks) {
    bracket<key> const widest{-order::infinity, order::infinity};
    auto const ends = n == 0 ? bracket<key>{widest.high, widest.high} : drawn.around(n, widest);
    auto const tallies = take_stock(parts(), chunks(), order_, ends);
    std::span<tally<key> const> const seen(tallies);
    non_finite_ = count_non_finite(parts(), chunks(), order_, seen);
    std::array<std::uint64_t, 3> counts{sum_of(seen, &tally<key>::from_high), sum_of(seen, &tally<key>::above_low),
                                        std::accumulate(non_finite_.begin(), non_finite_.end(), std::uint64_t{0})};
    auto const complete = [&](auto& numbers) { ranks.sum(std::span<std::uint64_t>(numbers)); };
    complete(counts);
    if (n == 0 || counts[2] > 0) return 0;
    auto const from_high = static_cast<std::size_t>(counts[0]);
    auto const above_low = static_cast<std::size_t>(counts[1]);
    if (from_high < n && n <= above_low) {
      auto const [threshold, available] = nth_key(
          ends, n - from_high, chunks_.size(),
          [&](std::size_t c, auto&& visit) {
            for (auto const& each : tallies[c].inside) visit(each.key);
          },
          complete);
      return keep_ties(threshold, available, keep_above(threshold, seen), ranks);
    }
    // The threshold is an end, which is where a frequent score ends up, or the sample misled.
    auto const reaches = n <= from_high;
    auto const [threshold, available] = nth_key(
        reaches ? bracket<key>{ends.high, widest.high} : bracket<key>{widest.low, ends.low}, reaches ? n : n - above_low,
        chunks_.size(),
        [&](std::size_t c, auto&& visit) {
          for_each_word(c, [&](std::size_t, score_block<T> const& block, mask::word among) {
            for_each_bit(among, [&](std::size_t i) { visit(block[i]); });
          });
        },
        complete);
    return keep_ties(threshold, available, keep_above(threshold), ranks);
  }

  /// Throws where `keep` met scores of this process that are NaN or infinite.
  void require_finite() const {
    for (std::size_t p = 0; p < non_finite_.size(); ++p)
      if (non_finite_[p] > 0)
        fail(non_finite_[p], " of ", mine_[p].part.scores.size(), " scores of parameter ", mine_[p].parameter, " from place ",
             mine_[p].first, " on are NaN or infinite, so nothing was masked: score finite weights and inputs, or in double");
  }

 private:
  [[nodiscard]] std::span<ranked_scores<T> const> parts() const { return parts_; }
  [[nodiscard]] std::span<chunk const> chunks() const { return chunks_; }

  template <class Visit>
  void for_each_word(std::size_t c, Visit visit) const {
    for_each_block<T>(parts_[chunks_[c].parameter], chunks_[c], order_, visit);
  }

  /// Writes the bits of all scores above the threshold; returns how many equal it, by chunk.
  [[nodiscard]] std::vector<std::size_t> keep_above(key threshold) const {
    std::vector<std::size_t> ties(chunks_.size());
    tbb::parallel_for(std::size_t{0}, chunks_.size(), [&](std::size_t c) {
      auto const kept = parts_[chunks_[c].parameter].kept;
      for_each_word(c, [&](std::size_t w, score_block<T> const& block, mask::word among) {
        kept[w] = block.above(threshold) & among;
        ties[c] += count_bits((block.above(threshold - 1) & among) ^ kept[w]);
      });
    });
    return ties;
  }
  /// The same where the threshold lies among candidates, and the bits of all above those are written.
  [[nodiscard]] std::vector<std::size_t> keep_above(key threshold, std::span<tally<key> const> tallies) const {
    std::vector<std::size_t> ties(chunks_.size());
    tbb::parallel_for(std::size_t{0}, chunks_.size(), [&](std::size_t c) {
      auto const kept = parts_[chunks_[c].parameter].kept;
      for (auto const& each : tallies[c].inside) {
        auto const i = chunks_[c].begin + each.offset;
        if (each.key > threshold) kept[i / mask::word_bits] |= mask::word{1} << (i % mask::word_bits);
        ties[c] += each.key == threshold;
      }
    });
    return ties;
  }

  /// Where the ties of a process lie, as the others hear of them.
  struct tie_count {
    std::uint64_t parameter, first, count;

    friend bool operator<(tie_count const& a, tie_count const& b) {
      return a.parameter != b.parameter ? a.parameter < b.parameter : a.first < b.first;
    }
  };

  /// Of the scores that equal the threshold the first `available` stay, by parameter and place. Each process hears how many the others
  /// have, by range: 24 bytes for each range that has any.
  template <class R>
  [[nodiscard]] std::size_t keep_ties(key threshold, std::size_t available, std::vector<std::size_t> const& ties,
                                      R& ranks) const {
    std::vector<std::size_t> in_part(parts_.size());
    for (std::size_t c = 0; c < ties.size(); ++c) in_part[chunks_[c].parameter] += ties[c];
    auto const all = counts_of_all(in_part, ranks);
    std::uint64_t total = 0;
    for (auto const& each : all) total += each.count;
    for (std::size_t p = 0; p < parts_.size(); ++p) {
      std::uint64_t before = 0;
      for (auto const& each : all)
        if (each < tie_count{mine_[p].parameter, mine_[p].first, 0}) before += each.count;
      if (before < available)
        keep_first(threshold, p, std::min<std::size_t>(in_part[p], available - static_cast<std::size_t>(before)), ties);
    }
    return total == available ? 0 : static_cast<std::size_t>(total);
  }

  template <class R>
  [[nodiscard]] std::vector<tie_count> counts_of_all(std::vector<std::size_t> const& in_part, R& ranks) const {
    std::vector<tie_count> mine;
    for (std::size_t p = 0; p < in_part.size(); ++p)
      if (in_part[p] > 0) mine.push_back({mine_[p].parameter, mine_[p].first, in_part[p]});
    std::vector<tie_count> all;
    for (auto const& bytes : ranks.gather(std::as_bytes(std::span(mine)))) append_values(all, bytes);
    return all;
  }

  /// Of a part's scores that equal the threshold the first `count` stay; reads the chunks that have any.
  void keep_first(key threshold, std::size_t p, std::size_t count, std::vector<std::size_t> const& ties) const {
    auto const& part = parts_[p];
    for (std::size_t c = 0; c < chunks_.size() && count > 0; ++c) {
      if (chunks_[c].parameter != p || ties[c] == 0) continue;
      for_each_word(c, [&](std::size_t w, score_block<T> const& block, mask::word among) {
        auto const taken = lowest_bits((block.above(threshold - 1) & among) & ~part.kept[w], count);
        count -= count_bits(taken);
        part.kept[w] |= taken;
      });
    }
  }

  std::span<scores_at<T> const> mine_;
  std::vector<ranked_scores<T>> parts_;
  std::vector<chunk> chunks_;
  order order_;
  std::vector<std::size_t> non_finite_;  ///< scores that cannot be ranked, by part
};

}  // namespace detail

/// Keeps the n best of the scores of all processes, to the bit as `keep_largest` (mask/select.hpp) does where one holds them all: the
/// larger first (the smaller for `keep_end::lowest`), among equal scores the one that comes first by parameter and place. Each passes
/// the ranges that it holds, which meet nowhere; a parameter may lie with one process or with several. Returns how many scores equal the
/// threshold, if some of them stay and others go.
///
/// Cost: 1 reading of the scores, up to 3 more where very many are equal, 6 for double; 8 exchanges, or 11, of 16 KiB at most each,
/// whatever the number of scores; memory for some scores in a hundred.
template <std::floating_point T, communicator R>
std::size_t keep_largest(std::span<scores_at<T> const> mine, std::size_t n, R& ranks, keep_end end = keep_end::highest) {
  return together(ranks, [&](agreeing<R>& agreed) {
    detail::distributed_selector<T> selector(mine, end);
    detail::common_sample<typename detail::score_order<T>::key> drawn;
    for (auto const& message : agreed.gather(selector.sample(agreed.size()))) drawn.add(message);
    if (n > drawn.ranked()) fail("cannot keep ", n, " of ", drawn.ranked(), " ranked scores: ask for at most ", drawn.ranked());
    auto const tied = agreed.exchange([&](R& all) { return selector.keep(n, drawn, all); });
    selector.require_finite();  // where one refuses the others hear of it in the vote to come
    return tied;
  });
}

}  // namespace lnpt
