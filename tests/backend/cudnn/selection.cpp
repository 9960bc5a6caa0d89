/// A ranking on the device gives the bits that the host's gives, and tells the same of what cannot be ranked and of ties.
#include <cmath>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include <lnpt/backend/cudnn/traits.hpp>
#include <lnpt/core/random.hpp>
#include <lnpt/mask/apply.hpp>
#include <lnpt/mask/global_unstructured.hpp>
#include <lnpt/mask/select.hpp>

#include "device.hpp"

using namespace lnpt;
using word = mask::word;

namespace {

/// Scores by part, and which of them take part (empty: all).
template <class T>
struct problem {
  std::vector<std::vector<T>> scores;
  std::vector<std::vector<word>> among;
};

/// Parts of awkward sizes: one word short, one word full, more than a block, one more than a block.
template <class T, class Draw>
problem<T> drawn(Draw draw, bool some_pruned) {
  problem<T> result;
  std::uint64_t index = 0;
  for (std::size_t const size : {5U, 64U, 700U, 257U}) {
    auto& scores = result.scores.emplace_back(size);
    for (auto& each : scores) each = draw(index++);
    if (!some_pruned) continue;
    auto& words = result.among.emplace_back((size + 63) / 64);
    for (std::size_t i = 0; i < size; ++i) words[i / 64] |= word{random_bits(7, index, i) % 4 != 0} << (i % 64);
  }
  return result;
}

struct outcome {
  std::vector<std::vector<word>> kept;
  std::vector<std::size_t> non_finite, tied;
  bool operator==(outcome const&) const = default;
};

template <class Part, class Scores, class T, class Rank>
outcome ranked(problem<T> const& given, std::vector<Scores> const& scores, Rank rank) {
  outcome result;
  std::vector<Part> parts;
  for (auto const& each : given.scores) result.kept.emplace_back((each.size() + 63) / 64, 0x5555555555555555U);
  for (std::size_t p = 0; p < scores.size(); ++p) {
    std::span<word const> const among = given.among.empty() ? std::span<word const>{} : given.among[p];
    if constexpr (std::is_pointer_v<decltype(Part::scores)>)
      parts.push_back({&scores[p], result.kept[p], among});
    else
      parts.push_back({scores[p], result.kept[p], among});
  }
  auto found = rank(std::span<Part const>(parts));
  if (!found.non_finite.empty()) result.kept.clear();  // they mean nothing
  result.non_finite = std::move(found.non_finite);
  result.tied = std::move(found.tied);
  return result;
}

template <class T>
void compare(problem<T> const& given, std::size_t n, keep_end end) {
  CAPTURE(n);
  std::vector<cudnn::array<T>> there;
  for (auto const& each : given.scores) there.push_back(make_tensor<cudnn::array<T>>({each.size()}, each, {}));
  auto const host = ranked<ranked_scores<T>>(given, given.scores, [&](auto parts) { return keep_largest<T>(parts, n, end); });
  auto const device = ranked<ranked_tensor<cudnn::array<T>>>(
      given, there, [&](auto parts) { return tensor_traits<cudnn::array<T>>::keep_largest(parts, n, end); });
  CHECK(device == host);
}

template <class T>
void compare_all(problem<T> const& given) {
  std::size_t total = 0;
  for (std::size_t p = 0; p < given.scores.size(); ++p)
    total += given.among.empty() ? given.scores[p].size() : detail::count_bits(given.among[p]);
  for (auto const end : {keep_end::highest, keep_end::lowest})
    for (auto const n : {std::size_t{0}, std::size_t{1}, total / 20, total / 2, total}) compare(given, n, end);
}

template <class T>
T normal_score(std::uint64_t i) {
  return static_cast<T>(normal(1, i).first);
}

}  // namespace

TEST_CASE_TEMPLATE("the n best are the host's, whatever the scores", T, float, double) {
  if (!device_is_here()) return;
  for (bool const some_pruned : {false, true}) {
    CAPTURE(some_pruned);
    compare_all(drawn<T>(normal_score<T>, some_pruned));
    compare_all(drawn<T>([](auto i) { return static_cast<T>(i % 3); }, some_pruned));
    compare_all(drawn<T>([](auto i) { return i % 2 ? T{0} : -T{0}; }, some_pruned));
    compare_all(drawn<T>([](auto i) { return static_cast<T>(i) * std::numeric_limits<T>::denorm_min(); }, some_pruned));
    compare_all(drawn<T>([](auto i) { return std::numeric_limits<T>::max() * (static_cast<T>(i % 3) - 1); }, some_pruned));
  }
}

TEST_CASE("they are so in any order of threads and blocks") {
  if (!device_is_here() || !on_double()) return;
  for (int const how : {1, 2, 3}) {
    order(how);
    compare(drawn<float>(normal_score<float>, true), 300, keep_end::highest);
  }
  order(0);
}

TEST_CASE_TEMPLATE("scores that are not finite are counted by part as the host counts them", T, float, double) {
  if (!device_is_here()) return;
  auto given = drawn<T>(normal_score<T>, true);
  given.scores[2][3] = std::numeric_limits<T>::quiet_NaN();
  given.scores[3][0] = -std::numeric_limits<T>::infinity();
  given.scores[3][256] = std::numeric_limits<T>::infinity();
  for (std::size_t const n : {0U, 300U}) compare(given, n, keep_end::highest);
}

TEST_CASE("more than there are is refused, and nothing is chosen of nothing") {
  if (!device_is_here()) return;
  problem<float> const two{{{1, 2}}, {}};
  CHECK_THROWS_WITH_AS(compare(two, 3, keep_end::highest), doctest::Contains("cannot keep 3 of 2 ranked scores"), lnpt::error);
  std::vector<word> kept{1};
  cudnn::array<float> const many = make_tensor<cudnn::array<float>>({2}, two.scores[0], {});
  ranked_tensor<cudnn::array<float>> const part{&many, kept, {}};
  CHECK_THROWS_WITH_AS((void)tensor_traits<cudnn::array<float>>::keep_largest(std::span(&part, 1), 3, keep_end::highest),
                       doctest::Contains("cannot keep 3 of 2 ranked scores"), lnpt::error);
  compare(problem<float>{}, 0, keep_end::highest);
  compare(problem<float>{{{}}, {}}, 0, keep_end::highest);
}

TEST_CASE("a strategy ranks on the device: no score is read, and the masks are the host's; they are applied there, too") {
  if (!device_is_here()) return;
  auto const given = drawn<float>(normal_score<float>, false);
  std::vector<cudnn::array<float>> there;
  std::vector<scored_parameter<float>> host;
  std::vector<scored_parameter<float>> device;
  for (auto const& each : given.scores) there.push_back(make_tensor<cudnn::array<float>>({each.size()}, each, {}));
  for (std::size_t p = 0; p < there.size(); ++p) {
    auto const name = std::to_string(p);
    host.push_back({name, there[p].extents(), given.scores[p]});
    device.push_back({name, there[p].extents(), scores_of(there[p])});
  }
  selection const wanted{.keep = density{0.1}};
  auto const waits = on_double() ? tally("waits") : 0;
  auto const masks = global_unstructured{}(std::span<scored_parameter<float> const>(device), wanted);
  if (on_double()) CHECK(tally("waits") - waits <= 2);  // for the threshold and for the bits
  CHECK(masks == global_unstructured{}(std::span<scored_parameter<float> const>(host), wanted));
  for (std::size_t p = 0; p < there.size(); ++p) {
    auto values = given.scores[p];
    auto const* const kept = masks.find(std::to_string(p));
    REQUIRE(kept != nullptr);
    apply(*kept, std::span(values));
    auto pruned = there[p];
    detail::apply_to_tensor(*kept, pruned);
    CHECK(values_of(pruned) == values);
    CHECK(values_of(there[p]) == given.scores[p]);  // which shared its values
  }
}

TEST_CASE("every call of a ranking that fails is an error, and nothing is leaked") {
  if (!device_is_here() || !on_double()) return;
  auto const given = drawn<float>([](auto i) { return static_cast<float>(i % 3); }, true);
  auto const bytes = live_bytes();
  auto const before = tally("calls");
  compare(given, 300, keep_end::highest);
  auto const calls = tally("calls") - before;
  CHECK(calls > 20);
  for (long n = 1; n <= calls; ++n) {
    CAPTURE(n);
    fail_at(n);
    CHECK_THROWS_AS(compare(given, 300, keep_end::highest), lnpt::error);
    fail_at(0);
    CHECK(live_bytes() == bytes);
  }
}
