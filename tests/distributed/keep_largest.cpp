/// The exact threshold of scores that several processes hold: a sum one can redo, then every cut against the ranking of one process.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <random>

#include <lnpt/distributed/keep_largest.hpp>
#include <lnpt/mask/select.hpp>

#include "threads.hpp"

using namespace lnpt;

namespace {

/// The words of one range's bits.
std::size_t words_for(std::size_t bits) { return (bits + mask::word_bits - 1) / mask::word_bits; }

/// A piece of the scores with room for its bits.
template <class T>
struct piece {
  std::size_t parameter, first;
  std::vector<T> scores;
  std::vector<mask::word> kept = std::vector<mask::word>(words_for(scores.size()));
  std::vector<mask::word> among = {};

  scores_at<T> view() { return {parameter, first, {scores, kept, among}}; }
};

/// The bits of all scores in a row, as one process ranks them and as ranks do that hold pieces.
template <class T>
std::vector<bool> whole(std::vector<T> const& scores, std::size_t n, keep_end end) {
  std::vector<mask::word> kept(words_for(scores.size()));
  ranked_scores<T> const all{scores, kept};
  REQUIRE(keep_largest(std::span(&all, 1), n, end).non_finite.empty());
  std::vector<bool> bits(scores.size());
  for (std::size_t i = 0; i < bits.size(); ++i) bits[i] = detail::test_bit(kept, i);
  return bits;
}

/// Piece k of `cuts` goes to rank k % size; bounds lie on no word boundary.
template <class T>
std::vector<bool> in_pieces(std::vector<T> const& scores, std::size_t n, keep_end end, std::size_t size, std::size_t cuts) {
  auto const bound = [&](std::size_t k) { return scores.size() * k * (k + 1) / (cuts * (cuts + 1)); };
  std::vector<bool> bits(scores.size());
  std::mutex guard;
  auto const outcomes = threads::run(size, [&](threads::communicator& ranks) {
    std::vector<piece<T>> mine;
    for (std::size_t k = ranks.rank(); k < cuts; k += size)
      mine.push_back(
          {k,
           0,
           {scores.begin() + static_cast<std::ptrdiff_t>(bound(k)), scores.begin() + static_cast<std::ptrdiff_t>(bound(k + 1))}});
    std::vector<scores_at<T>> views;
    for (auto& each : mine) views.push_back(each.view());
    auto const tied = keep_largest(std::span<scores_at<T> const>(views), n, ranks, end);
    std::lock_guard const lock(guard);
    CHECK(tied <= scores.size());
    CHECK(ranks.exchanges() <= (sizeof(T) == 4 ? 8U : 11U));
    if (ranks.size() > 1)  // one alone hears only itself
      CHECK(ranks.bytes_received() / ranks.size() <= (sizeof(T) == 4 ? 64U : 112U) << 10);
    for (auto const& each : mine)
      for (std::size_t i = 0; i < each.scores.size(); ++i) bits[bound(each.parameter) + i] = detail::test_bit(each.kept, i);
  });
  for (auto const& each : outcomes) CHECK(each.error.empty());
  return bits;
}

/// Scores of a kind: spread out, many equal, all equal, denormal with −0, and of very different sizes.
template <class T>
std::vector<T> scores_of_kind(int kind, std::size_t count) {
  std::mt19937_64 draw(static_cast<std::uint64_t>(kind) + 1);
  std::normal_distribution<T> normal;
  std::vector<T> scores(count);
  for (auto& s : scores) {
    auto const x = normal(draw);
    s = kind == 0   ? x
        : kind == 1 ? std::trunc(2 * x)
        : kind == 2 ? T{1}
        : kind == 3 ? (x > 1 ? x * std::numeric_limits<T>::denorm_min() * 9 : T{0} * x)
                    : std::exp(12 * x);
  }
  return scores;
}

}  // namespace

TEST_CASE("the three best of two ranks' scores, ties by parameter and place") {
  // Rank 0 holds parameter 1, rank 1 the halves of parameter 0: 5 7 | 7 and 7 9. The three best: 9, and the first two sevens.
  std::vector<mask::word> kept[2];
  auto const outcomes = threads::run(2, [&](threads::communicator& ranks) {
    std::vector<piece<double>> mine;
    if (ranks.rank() == 0) mine.push_back({1, 0, {7, 9}});
    if (ranks.rank() == 1) mine = {{0, 2, {7}}, {0, 0, {5, 7}}};
    std::vector<scores_at<double>> views;
    for (auto& each : mine) views.push_back(each.view());
    auto const tied = keep_largest(std::span<scores_at<double> const>(views), 3, ranks);
    if (tied != 3) throw std::logic_error("three sevens");
    for (auto const& each : mine) kept[ranks.rank()].push_back(each.kept[0]);
  });
  for (auto const& each : outcomes) CHECK(each.error.empty());
  CHECK(kept[0] == std::vector<mask::word>{0b10});
  CHECK(kept[1] == std::vector<mask::word>{0b1, 0b10});
}

TEST_CASE_TEMPLATE("scores in pieces rank as the same scores in one process, to the bit", T, float, double) {
  for (int kind = 0; kind < 5; ++kind)
    for (std::size_t const count : {7U, 20011U}) {
      auto const scores = scores_of_kind<T>(kind, count);
      for (auto const end : {keep_end::highest, keep_end::lowest})
        for (double const density : {0.0, 0.05, 0.5, 0.999, 1.0}) {
          auto const n = static_cast<std::size_t>(std::lround(density * static_cast<double>(count)));
          auto const expected = whole(scores, n, end);
          for (std::size_t const size : {1U, 3U, 4U}) {
            CAPTURE(kind);
            CAPTURE(density);
            CAPTURE(size);
            CHECK(in_pieces(scores, n, end, size, 4) == expected);
          }
        }
    }
}

TEST_CASE("only survivors take part; too many wanted and scores that are not finite are refused by every rank") {
  auto const rank = [](double special, std::size_t n) {
    return threads::run(3, [=](threads::communicator& ranks) {
      piece<double> mine{ranks.rank(), 0, {1, 2, ranks.rank() == 2 ? special : 3}};
      mine.among = {0b110};
      auto const view = mine.view();
      (void)keep_largest(std::span(&view, 1), n, ranks);
      if ((mine.kept[0] & 1) != 0) throw std::logic_error("a weight that was pruned before came back");
    });
  };
  for (auto const& each : rank(4, 6)) CHECK(each.error.empty());
  for (auto const& each : rank(4, 7))
    CHECK(each.error == "rank 0 and 2 more of 3: cannot keep 7 of 6 ranked scores: ask for at most 6");
  for (auto const& each : rank(std::nan(""), 2))
    CHECK(each.error ==
          "rank 2: 1 of 3 scores of parameter 2 from place 0 on are NaN or infinite, so nothing was masked: score finite weights "
          "and inputs, or in double");
}
