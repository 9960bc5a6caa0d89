#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <random>
#include <span>
#include <string>
#include <tbb/global_control.h>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/mask/mask_set.hpp>
#include <lnpt/mask/select.hpp>

namespace {

using word = lnpt::mask::word;
using bits = std::vector<std::vector<bool>>;

/// Scores by parameter, and optionally which of them take part.
template <class T>
struct problem {
  std::vector<std::vector<T>> scores;
  bits among = {};
};

std::vector<word> pack(std::vector<bool> const& flags) {
  std::vector<word> words((flags.size() + 63) / 64);
  for (std::size_t i = 0; i < flags.size(); ++i) words[i / 64] |= word{flags[i]} << (i % 64);
  return words;
}

struct outcome {
  std::vector<std::vector<word>> kept;
  std::vector<std::size_t> non_finite;
  friend bool operator==(outcome const&, outcome const&) = default;
};

template <class T>
outcome select(problem<T> const& given, std::size_t n, lnpt::keep_end end = lnpt::keep_end::highest) {
  outcome result;
  std::vector<std::vector<word>> among;
  std::vector<lnpt::ranked_scores<T>> parameters;
  for (auto const& flags : given.among) among.push_back(pack(flags));
  for (auto const& scores : given.scores) result.kept.emplace_back((scores.size() + 63) / 64, 0x5555555555555555U);
  for (std::size_t p = 0; p < given.scores.size(); ++p) {
    parameters.push_back({given.scores[p], result.kept[p]});
    if (!among.empty()) parameters.back().among = among[p];
  }
  result.non_finite = lnpt::keep_largest<T>(parameters, n, end).non_finite;
  return result;
}

/// The definition: a sort of everything, equal scores by parameter and index.
template <class T>
std::vector<std::vector<word>> sorted_selection(problem<T> const& given, std::size_t n, lnpt::keep_end end) {
  std::vector<std::pair<std::size_t, std::size_t>> order;
  bits kept;
  for (std::size_t p = 0; p < given.scores.size(); ++p) {
    kept.emplace_back(given.scores[p].size());
    for (std::size_t i = 0; i < given.scores[p].size(); ++i)
      if (given.among.empty() || given.among[p][i]) order.emplace_back(p, i);
  }
  std::sort(order.begin(), order.end(), [&](auto const& a, auto const& b) {
    auto const x = given.scores[a.first][a.second];
    auto const y = given.scores[b.first][b.second];
    if (x == y) return a < b;
    return end == lnpt::keep_end::highest ? x > y : x < y;
  });
  for (std::size_t k = 0; k < n; ++k) kept[order[k].first][order[k].second] = true;
  std::vector<std::vector<word>> words;
  for (auto const& flags : kept) words.push_back(pack(flags));
  return words;
}

template <class T>
using draw = std::function<T(std::mt19937&, std::size_t)>;

/// Distributions that selections stumble over.
template <class T>
std::vector<std::pair<char const*, draw<T>>> distributions() {
  auto const normal = [](std::mt19937& g) { return static_cast<T>(std::normal_distribution<double>()(g)); };
  return {
      {"products", [=](auto& g, auto) { return std::abs(normal(g) * normal(g)); }},
      {"signed", [=](auto& g, auto) { return normal(g); }},
      {"all equal", [](auto&, auto) { return T{3}; }},
      {"signed zeros", [](auto& g, auto) { return g() % 2 ? T{0} : -T{0}; }},
      {"mostly zero", [=](auto& g, auto) { return g() % 10 ? (g() % 2 ? T{0} : -T{0}) : normal(g); }},
      {"three values", [](auto& g, auto) { return static_cast<T>(g() % 3); }},
      {"rising", [](auto&, auto i) { return static_cast<T>(i); }},
      {"falling", [](auto&, auto i) { return -static_cast<T>(i); }},
      {"denormals", [](auto& g, auto) { return static_cast<T>(g() % 1000) * std::numeric_limits<T>::denorm_min(); }},
      {"extremes", [](auto& g, auto) { return std::numeric_limits<T>::max() * static_cast<T>(static_cast<int>(g() % 3) - 1); }},
  };
}

template <class T>
problem<T> make_problem(std::vector<std::size_t> const& sizes, draw<T> const& value, unsigned seed, bool some_pruned = false) {
  std::mt19937 generator(seed);
  problem<T> result;
  std::size_t index = 0;
  for (auto const size : sizes) {
    auto& scores = result.scores.emplace_back(size);
    for (auto& score : scores) score = value(generator, index++);
    if (!some_pruned) continue;
    auto& flags = result.among.emplace_back(size);
    for (std::size_t i = 0; i < size; ++i) flags[i] = generator() % 4 != 0;
  }
  return result;
}

template <class T>
std::size_t ranked(problem<T> const& given) {
  std::size_t count = 0;
  for (auto const& scores : given.scores) count += scores.size();
  if (given.among.empty()) return count;
  count = 0;
  for (auto const& flags : given.among) count += static_cast<std::size_t>(std::count(flags.begin(), flags.end(), true));
  return count;
}

template <class T>
void check_all_counts(problem<T> const& given) {
  auto const total = ranked(given);
  for (auto const end : {lnpt::keep_end::highest, lnpt::keep_end::lowest})
    for (auto const n : {std::size_t{0}, std::size_t{1}, total / 20, total / 2, total * 9 / 10, total - 1, total})
      if (n <= total) {
        CAPTURE(n);
        auto const found = select(given, n, end);
        CHECK(found.non_finite.empty());
        CHECK(found.kept == sorted_selection(given, n, end));
      }
}

constexpr std::size_t chunk = lnpt::detail::chunk::length;

}  // namespace

TEST_CASE("of 1, 4, 2, 4 the two largest are both fours, and one of them is the first") {
  problem<float> const given{{{1, 4}, {2, 4}}};
  CHECK(select(given, 2).kept == std::vector<std::vector<word>>{{0b10}, {0b10}});
  CHECK(select(given, 1).kept == std::vector<std::vector<word>>{{0b10}, {0b00}});
  CHECK(select(given, 3).kept == std::vector<std::vector<word>>{{0b10}, {0b11}});
  CHECK(select(given, 1, lnpt::keep_end::lowest).kept == std::vector<std::vector<word>>{{0b01}, {0b00}});
  CHECK(select(given, 3, lnpt::keep_end::lowest).kept == std::vector<std::vector<word>>{{0b11}, {0b01}});
}

TEST_CASE("a negative zero equals a positive one, so the first stays") {
  problem<double> const given{{{-0.0, 0.0, -0.0}}};
  CHECK(select(given, 1).kept[0][0] == 0b001);
  CHECK(select(given, 2).kept[0][0] == 0b011);
  CHECK(select(given, 2, lnpt::keep_end::lowest).kept[0][0] == 0b011);
}

TEST_CASE_TEMPLATE("selection agrees with a full sort at the seams of words", T, float, double) {
  for (auto const& [name, value] : distributions<T>())
    for (auto const& sizes : std::vector<std::vector<std::size_t>>{
             {}, {0}, {1}, {63}, {64}, {65}, {127}, {128}, {1, 1, 1}, {0, 65, 0, 63, 1}, {64, 0, 200}, {500, 37, 129}})
      for (auto const some_pruned : {false, true}) {
        CAPTURE(name);
        CAPTURE(lnpt::list(sizes));
        check_all_counts(make_problem<T>(sizes, value, 7, some_pruned));
      }
}

TEST_CASE_TEMPLATE("selection agrees with a full sort at the seams of chunks, where it samples", T, float, double) {
  for (auto const& [name, value] : distributions<T>())
    for (auto const some_pruned : {false, true}) {
      CAPTURE(name);
      check_all_counts(make_problem<T>({chunk - 1, 3, chunk + 1}, value, 11, some_pruned));
      if (std::string(name) == "products" || std::string(name) == "mostly zero")
        check_all_counts(make_problem<T>({chunk, 2 * chunk + 1, 0, 700, 5}, value, 13, some_pruned));
    }
}

TEST_CASE("selection is exact where the threshold lies at the edge of a frequent score") {
  std::mt19937 generator(17);
  problem<float> given{{std::vector<float>(100'000)}};
  for (auto& score : given.scores[0]) score = generator() % 4 == 0 ? static_cast<float>(generator() % 1000) : 0.0F;
  auto const positive =
      static_cast<std::size_t>(std::count_if(given.scores[0].begin(), given.scores[0].end(), [](float s) { return s > 0; }));
  for (auto const n : {positive - 1, positive, positive + 1, positive + 300})
    for (auto const end : {lnpt::keep_end::highest, lnpt::keep_end::lowest})
      CHECK(select(given, n, end).kept == sorted_selection(given, n, end));
}

TEST_CASE("selection is exact where nearly all large scores hide from a sample") {
  // Every score that is drawn into the sample is a small one and every other a large one, and the other way round.
  problem<float> probe{{std::vector<float>(40'000, 1.0F)}};
  for (std::size_t i = 0; i < probe.scores[0].size(); ++i) probe.scores[0][i] = static_cast<float>(i);
  std::vector<lnpt::ranked_scores<float>> parts{{probe.scores[0], {}}};
  std::vector<bool> drawn(probe.scores[0].size());
  for (auto const key : lnpt::detail::sample_keys<float>(parts, lnpt::detail::score_order<float>(lnpt::keep_end::highest)))
    drawn[static_cast<std::size_t>(std::bit_cast<float>(key))] = true;
  REQUIRE(std::count(drawn.begin(), drawn.end(), true) > 100);

  for (auto const sampled_is_large : {false, true}) {
    auto given = probe;
    for (std::size_t i = 0; i < drawn.size(); ++i)
      given.scores[0][i] = static_cast<float>(i % 977) + (drawn[i] == sampled_is_large ? 1e6F : 0.0F);
    for (auto const n : {std::size_t{50}, std::size_t{2000}, std::size_t{20'000}, std::size_t{39'000}})
      for (auto const end : {lnpt::keep_end::highest, lnpt::keep_end::lowest}) {
        CAPTURE(n);
        CHECK(select(given, n, end).kept == sorted_selection(given, n, end));
      }
  }
}

TEST_CASE("the bits do not depend on the number of threads") {
  for (auto const& [name, value] : distributions<float>()) {
    CAPTURE(name);
    auto const given = make_problem<float>({5 * chunk + 17, 300, chunk}, value, 19, true);
    auto const n = ranked(given) / 10;
    auto const at = [&](std::size_t threads) {
      tbb::global_control const limit(tbb::global_control::max_allowed_parallelism, threads);
      return select(given, n);
    };
    auto const alone = at(1);
    CHECK(alone == at(2));
    CHECK(alone == at(4));
  }
}

TEST_CASE_TEMPLATE("NaN and infinite scores are counted by parameter, wherever they lie", T, float, double) {
  constexpr auto infinity = std::numeric_limits<T>::infinity();
  constexpr auto nan = std::numeric_limits<T>::quiet_NaN();
  for (auto const end : {lnpt::keep_end::highest, lnpt::keep_end::lowest})
    for (auto const n : std::vector<std::size_t>{0, 1, 100, 70'000})
      for (auto const bad : {infinity, -infinity, nan, -nan}) {
        auto given = make_problem<T>({10, 80'000, 64}, distributions<T>()[0].second, 23);
        given.scores[1][3] = given.scores[1][70'001] = given.scores[1][79'999] = given.scores[2][63] = bad;
        CHECK(select(given, n, end).non_finite == std::vector<std::size_t>{0, 3, 1});
      }
}

TEST_CASE("scores that do not take part may be anything") {
  auto const nan = std::numeric_limits<float>::quiet_NaN();
  problem<float> const given{{{nan, 2, nan, 1, 3}}, {{false, true, false, true, true}}};
  CHECK(select(given, 2).non_finite.empty());
  CHECK(select(given, 2).kept[0][0] == 0b10010);
  CHECK(select(given, 3).kept[0][0] == 0b11010);
}

TEST_CASE("more than there is cannot be kept") {
  CHECK_THROWS_WITH_AS(select(problem<float>{{{1, 2}, {3}}}, 4), "cannot keep 4 of 3 ranked scores: ask for at most 3",
                       lnpt::error);
}
