/// Histograms of the scores of stored weights: a count by hand, then a naive one of every dtype beyond a block.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <tbb/global_control.h>
#include <vector>

#include <lnpt/core/random.hpp>
#include <lnpt/io/safetensors_writer.hpp>
#include <lnpt/io/small_floats.hpp>
#include <lnpt/out_of_core/score.hpp>

#include "../io/support.hpp"

using namespace lnpt;
using out_of_core::score;
using out_of_core::score_histogram;

namespace {

using bytes = std::vector<std::byte>;

bytes stored_floats(std::vector<float> const& values) {
  auto const raw = std::as_bytes(std::span(values));
  return {raw.begin(), raw.end()};
}

/// The scores of a file with one tensor.
score_histogram score_of(io::dtype type, bytes const& stored) {
  support::temporary_folder const folder;
  io::safetensors::writer writer;
  writer.add_stored("a.weight", {1, stored.size() / (io::bits_of(type) / 8)}, type, stored);
  writer.save(folder / "model.safetensors");
  return score(folder / "model.safetensors", {}).scored.at(0);
}
score_histogram score_of(std::vector<float> const& values) { return score_of(io::dtype::f32, stored_floats(values)); }

/// Random codes of a type that stand for finite numbers, and those numbers.
template <class Stored>
std::pair<bytes, std::vector<float>> drawn(std::size_t count) {
  bytes stored;
  std::vector<float> values;
  for (std::uint64_t i = 0; values.size() < count; ++i) {
    auto const code = random_bits(1, i);
    Stored held;
    std::memcpy(&held, &code, sizeof held);
    auto const value = static_cast<float>(held);
    if (!std::isfinite(value)) continue;
    values.push_back(value);
    auto const raw = std::as_bytes(std::span(&held, 1));
    stored.insert(stored.end(), raw.begin(), raw.end());
  }
  return {stored, values};
}

void check_same(score_histogram const& a, score_histogram const& b) {
  CHECK(a.total == b.total);
  CHECK(a.zeros == b.zeros);
  CHECK(a.least == b.least);
  CHECK(a.largest == b.largest);
  CHECK(a.first_octave == b.first_octave);
  CHECK(a.octaves == b.octaves);
}

/// The histogram of values, one by one.
score_histogram counted(std::vector<float> const& values) {
  score_histogram all{.name = "a.weight", .total = values.size(), .least = std::abs(values.at(0))};
  std::vector<std::uint64_t> counts(256);
  for (auto const v : values) {
    auto const s = std::abs(v);
    all.least = std::min(all.least, s);
    all.largest = std::max(all.largest, s);
    all.mean += static_cast<double>(s) / static_cast<double>(values.size());
    if (s == 0)
      ++all.zeros;
    else
      ++counts[static_cast<std::size_t>(std::max(std::ilogb(s), out_of_core::lowest_octave) - out_of_core::lowest_octave)];
  }
  std::size_t first = 0;
  while (counts[first] == 0) ++first;
  while (counts.back() == 0) counts.pop_back();
  all.first_octave = out_of_core::lowest_octave + static_cast<int>(first);
  all.octaves.assign(counts.begin() + static_cast<std::ptrdiff_t>(first), counts.end());
  return all;
}

}  // namespace

TEST_CASE("six scores by hand: two zeros, and 1/4, 1, 3/2 and 2 in the octaves from 2^-2 on") {
  auto const seen = score_of({0, 1, -1.5f, 2, 0.25f, -0.0f});
  CHECK(seen.name == "a.weight");
  CHECK(seen.zeros == 2);
  CHECK(seen.first_octave == -2);
  CHECK(seen.octaves == std::vector<std::uint64_t>{1, 0, 2, 1});
  CHECK(seen.mean == 4.75 / 6);
  CHECK(score_of({0, 0}).octaves.empty());
  CHECK(score_of({1e-40f, 0}).first_octave == out_of_core::lowest_octave);  // what is no normal number
}

TEST_CASE("every dtype counts as its values do one by one, to the same bits on any number of threads") {
  using enum io::dtype;
  auto const check = [](io::dtype type, auto const& of) {
    CAPTURE(io::name_of(type));
    auto const& [stored, values] = of;
    auto const seen = score_of(type, stored);
    auto const expected = counted(values);
    check_same(seen, expected);
    CHECK(seen.mean == doctest::Approx(expected.mean).epsilon(1e-12));
    tbb::global_control const one(tbb::global_control::max_allowed_parallelism, 1);
    CHECK(score_of(type, stored).mean == seen.mean);
  };
  constexpr std::size_t count = 600'000;  // more than a block
  check(f32, drawn<float>(count));
  check(f16, drawn<io::half>(count));
  check(bf16, drawn<io::bfloat16>(count));
  check(f8_e4m3, drawn<io::float8_e4m3>(count));
  check(f8_e5m2, drawn<io::float8_e5m2>(count));
  check(f8_e4m3fnuz, drawn<io::float8_e4m3fnuz>(count));
  check(f8_e5m2fnuz, drawn<io::float8_e5m2fnuz>(count));
}

TEST_CASE("random scores lie in [0, 1), and what is not finite or stays dense is named") {
  support::temporary_folder const folder;
  io::safetensors::writer writer;
  auto const nan = std::numeric_limits<float>::quiet_NaN();
  writer.add("a.weight", {2, 2}, std::vector<float>{1, nan, nan, 2});
  writer.add("ids", {3}, std::vector<std::int64_t>{0, 1, 2});
  writer.save(folder / "model.safetensors");
  auto const seen = score(folder / "model.safetensors", {.criterion = out_of_core::criterion::random, .seed = 3});
  CHECK(seen.scored.at(0).largest < 1);
  CHECK(seen.scored.at(0).mean > 0);
  CHECK(seen.dense == std::vector<std::pair<std::string, std::string>>{{"ids", "I64 is not ranked"}});
  CHECK(support::refusal([&] { static_cast<void>(score(folder / "model.safetensors", {})); }) ==
        "weights are NaN or infinite (2 of 4 in a.weight), so nothing can be ranked: leave these tensors dense, or mend them");
}
