/// Thresholds of blocks in memory and of scores drawn at random, against sorting.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <vector>

#include <lnpt/core/random.hpp>
#include <lnpt/io/safetensors.hpp>
#include <lnpt/out_of_core/plan.hpp>
#include <lnpt/out_of_core/random_threshold.hpp>
#include <lnpt/out_of_core/select_block.hpp>

#include "../io/support.hpp"

using namespace lnpt;
using namespace lnpt::out_of_core;

namespace {

/// The n-th largest code, how many equal it, and how many of those are among the n largest.
template <class Code>
code_threshold<Code> by_sorting(std::vector<Code> codes, std::size_t n) {
  std::ranges::sort(codes, std::greater<>());
  auto const bound = codes[n - 1];
  auto const larger = static_cast<std::size_t>(std::ranges::count_if(codes, [bound](Code c) { return c > bound; }));
  return {bound, static_cast<std::uint64_t>(std::ranges::count(codes, bound)), n - larger};
}

/// Words whose codes are drawn from so many values.
template <class Word>
std::vector<Word> drawn(std::size_t size, std::uint64_t values) {
  std::vector<Word> words(size);
  for (std::size_t i = 0; i < size; ++i) {
    auto const code = static_cast<Word>(random_bits(values, i) % values * (largest_code<Word> / values));
    words[i] = static_cast<Word>(code | (i % 3 == 0 ? largest_code<Word> + 1 : 0));  // some are negative
  }
  return words;
}

template <class Word>
std::vector<Word> kept(std::vector<Word> words, std::size_t n) {
  code_selection<Word> select;
  stored_codes<Word> const codes{reinterpret_cast<std::byte const*>(words.data())};
  auto const found = select(codes, words.size(), n);
  CHECK(clear_below<Word>(codes, words.size(), found, reinterpret_cast<std::byte*>(words.data())) == n);
  return words;
}

}  // namespace

TEST_CASE("of 7 codes the 3 largest stay, and of equal ones the first") {
  using words = std::vector<std::uint16_t>;
  CHECK(kept(words{5, 0x8009, 1, 5, 5, 2, 0}, 3) == words{5, 0x8009, 0, 5, 0, 0, 0});
  CHECK(kept(words{5, 5, 5}, 3) == words{5, 5, 5});
  CHECK(kept(words{5, 5, 5}, 0) == words{0, 0, 0});
}

// 600, 20000 and 40000 are beyond what is compared bit by bit of 32, 16 and 8 bits.
TEST_CASE_TEMPLATE("the n largest codes of units of every size stay, as sorting finds them", Word, std::uint8_t, std::uint16_t,
                   std::uint32_t) {
  for (std::size_t const size : {1, 2, 100, 512, 600, 16384, 20000, 40000})
    for (std::uint64_t const values : {1, 2, 100}) {
      auto const words = drawn<Word>(size, values);
      std::vector<Word> codes;
      for (auto const word : words) codes.push_back(word & largest_code<Word>);
      for (std::size_t const n : {std::size_t{1}, size / 2, size - 1, size}) {
        if (n == 0) continue;
        CAPTURE(size);
        CAPTURE(values);
        CAPTURE(n);
        auto const expected = by_sorting(codes, n);
        code_selection<Word> select;
        auto const found = select(stored_codes<Word>{reinterpret_cast<std::byte const*>(words.data())}, words.size(), n);
        CHECK(found.decided_by_position() == expected.decided_by_position());
        auto left = expected.ties;
        auto const result = kept(words, n);
        std::size_t wrong = 0;
        for (std::size_t i = 0; i < size; ++i) {
          auto const tie_stays = codes[i] == expected.bound && left > 0;
          left -= tie_stays ? 1 : 0;
          wrong += result[i] != (codes[i] > expected.bound || tie_stays ? words[i] : Word{0});
        }
        CHECK(wrong == 0);
      }
    }
}

TEST_CASE("the threshold of random scores is that of sorting, also where it is not about where it is looked for first") {
  support::temporary_folder const folder;
  io::safetensors::writer writer;
  writer.add_stored("a.weight", {300, 1000}, io::dtype::f32, std::vector<std::byte>(std::size_t{4} * 300 * 1000));
  writer.add_stored("b.weight", {3, 7}, io::dtype::f32, std::vector<std::byte>(std::size_t{4} * 3 * 7));
  writer.save(folder / "model.safetensors");
  io::sharded_model const model(folder / "model.safetensors");
  prune_options options;
  options.criterion = criterion::random;
  options.seed = 5;
  auto const plan = make_plan(model, model_config{}, options);
  REQUIRE(plan.pruned.size() == 2);
  std::vector<weight_range> ranges;
  std::vector<key> keys;
  for (auto const& each : plan.pruned) {
    ranges.push_back({&each, 0, each.size()});
    std::vector<key> mine(each.size());
    each.scores.keys(0, {}, mine);
    keys.insert(keys.end(), mine.begin(), mine.end());
  }
  std::ranges::sort(keys, std::greater<>());
  meter along(options, 0);
  for (std::size_t const n : {std::size_t{1}, std::size_t{2}, keys.size() / 10, keys.size() / 2, keys.size() - 1, keys.size()})
    for (double const deviations : {6.0, 1e-9}) {
      CAPTURE(n);
      auto const found = rank_random(model, ranges, n, along, deviations);
      CHECK(found.above == keys[n - 1]);
      CHECK(found.tied == static_cast<std::uint64_t>(std::ranges::count(keys, keys[n - 1])));
      CHECK(found.ties ==
            n - static_cast<std::size_t>(std::ranges::lower_bound(keys, keys[n - 1], std::greater<>()) - keys.begin()));
    }
}
