#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <tbb/global_control.h>
#include <utility>
#include <vector>

#include <lnpt/mask/channel_structured.hpp>
#include <lnpt/mask/global_unstructured.hpp>
#include <lnpt/mask/layerwise_unstructured.hpp>
#include <lnpt/mask/n_of_m.hpp>

namespace {

using lnpt::density;
using lnpt::mask_set;
using lnpt::scored_parameter;
using lnpt::selection;

/// Parameters that own their scores.
template <class T = float>
class model {
 public:
  model& add(std::string name, lnpt::shape extents, std::vector<T> scores, lnpt::role role = lnpt::role::weight,
             std::size_t output_axis = 0) {
    storage_.push_back(std::move(scores));
    parameters_.push_back({std::move(name), std::move(extents), {}, role, output_axis});
    for (std::size_t p = 0; p < storage_.size(); ++p) parameters_[p].scores = storage_[p];
    return *this;
  }
  operator std::span<scored_parameter<T> const>() const { return parameters_; }  // NOLINT(google-explicit-constructor)
  [[nodiscard]] std::vector<scored_parameter<T>>& parameters() { return parameters_; }

 private:
  std::vector<std::vector<T>> storage_;
  std::vector<scored_parameter<T>> parameters_;
};

template <class Strategy, class T>
mask_set run(Strategy const& strategy, model<T> const& given, selection const& wanted) {
  return strategy.template operator()<T>(given, wanted);
}

/// The bits of each parameter as text, first weight first.
std::vector<std::string> text(mask_set const& masks) {
  std::vector<std::string> lines;
  for (auto const& each : masks) {
    auto& line = lines.emplace_back();
    for (std::size_t i = 0; i < each.size(); ++i) line += each[i] ? '1' : '0';
  }
  return lines;
}

using lines = std::vector<std::string>;

std::size_t kept(mask_set const& masks) {
  std::size_t count = 0;
  for (auto const& each : masks) count += each.count();
  return count;
}

model<> random_model(std::vector<lnpt::shape> const& shapes, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  model<> result;
  for (std::size_t p = 0; p < shapes.size(); ++p) {
    std::vector<float> scores(lnpt::element_count(shapes[p]));
    for (auto& score : scores) score = std::abs(normal(generator)) / static_cast<float>(p + 1);
    result.add("conv" + std::to_string(p), shapes[p], scores);
  }
  return result;
}

}  // namespace

static_assert(lnpt::mask_strategy<lnpt::global_unstructured> && lnpt::mask_strategy<lnpt::layerwise_unstructured>);
static_assert(lnpt::mask_strategy<lnpt::channel_structured> && lnpt::mask_strategy<lnpt::n_of_m<2, 4>>);

TEST_CASE("half of all weights may be one layer's alone, or half of each layer's") {
  model<> given;
  given.add("a", {2, 2}, {8, 5, 6, 7}).add("b", {4}, {1, 4, 2, 3});
  CHECK(text(run(lnpt::global_unstructured{}, given, {.keep = density{0.5}})) == lines{"1111", "0000"});
  CHECK(text(run(lnpt::layerwise_unstructured{}, given, {.keep = density{0.5}})) == lines{"1001", "0101"});
  CHECK(text(run(lnpt::global_unstructured{}, given, {.keep = density{0.5}, .end = lnpt::keep_end::lowest})) ==
        lines{"0000", "1111"});
  CHECK(text(run(lnpt::layerwise_unstructured{}, given, {.keep = density{0.5}, .end = lnpt::keep_end::lowest})) ==
        lines{"0110", "1010"});
}

TEST_CASE("a mask carries the name and shape of its parameter") {
  model<> given;
  given.add("a", {2, 2}, {8, 5, 6, 7});
  auto const masks = run(lnpt::global_unstructured{}, given, {});
  REQUIRE(masks.size() == 1);
  CHECK(masks.begin()->name() == "a");
  CHECK(masks.begin()->extents() == lnpt::shape{2, 2});
  CHECK(masks.begin()->count() == 4);
}

TEST_CASE("a layer keeps its guaranteed weights, the total stays exact and the best of the rest fill it up") {
  model<> given;
  given.add("a", {4}, {8, 5, 6, 7}).add("b", {4}, {1, 4, 2, 3}).add("none", {0}, {});
  CHECK(text(run(lnpt::global_unstructured{}, given, {.keep = density{0.5}, .at_least = 1})) == lines{"1011", "0100", ""});
  CHECK(text(run(lnpt::global_unstructured{}, given, {.keep = density{0.5}, .at_least = 2})) == lines{"1001", "0101", ""});
  CHECK(text(run(lnpt::layerwise_unstructured{}, given, {.keep = density{0.25}, .at_least = 2})) == lines{"1001", "0101", ""});
  CHECK_THROWS_WITH_AS(run(lnpt::global_unstructured{}, given, {.keep = density{0.25}, .at_least = 2}),
                       doctest::Contains("cannot keep 2 of 8 weights: 4 are certain to stay in their layers (by at_least"),
                       lnpt::error);
}

TEST_CASE("where weights are ranked among themselves too, the scores say how many of each layer stay and that ranking which") {
  model<> m;
  m.add("a", {4}, {9, 8, 7, 1}).add("b", {4}, {6, 2, 2, 2});
  std::vector<float> const a{1, 2, 3, 4}, b{5, 5, 1, 5};
  m.parameters()[0].within = a;
  m.parameters()[1].within = b;
  std::size_t by_position = 0;
  CHECK(text(run(lnpt::global_unstructured{}, m, {.keep = density{0.5}, .decided_by_position = &by_position})) ==
        lines{"0111", "1000"});
  CHECK(by_position == 3);  // of b's three 5s one stays; a score of 2 that equals others decides nothing
  lnpt::mask odd("a", {4}, true);
  odd.set(3, false);
  mask_set left;
  left.add(odd);
  left.add(lnpt::mask("b", {4}, true));
  CHECK(text(run(lnpt::global_unstructured{}, m, {.keep = density{0.5}, .survivors = &left})) == lines{"1110", "1000"});
  m.parameters()[0].within = std::span(a).first(3);
  CHECK_THROWS_WITH_AS((void)run(lnpt::global_unstructured{}, m, {.keep = density{0.5}}),
                       "a has 4 scores but 3 that rank its weights among themselves: pass as many", lnpt::error);
}

TEST_CASE("a floor gives each layer one weight and its share of the rest, within the exact total") {
  model<> given;
  given.add("a", {4}, {8, 5, 6, 7}).add("b", {4}, {1, 4, 2, 3});
  // Of four weights two are certain, one in each layer; φ of the other two is divided evenly.
  CHECK(text(run(lnpt::global_unstructured{}, given, {.keep = density{0.5}, .layer_floor = 1})) == lines{"1001", "0101"});
  CHECK(text(run(lnpt::global_unstructured{}, given, {.keep = density{0.5}, .layer_floor = 0.9})) == lines{"1011", "0100"});
  CHECK(text(run(lnpt::global_unstructured{}, given, {.keep = density{0.5}, .at_least = 2, .layer_floor = 0.1})) ==
        lines{"1001", "0101"});
  for (auto const keep : {0.0, 0.125})  // none or one of eight for two layers
    CHECK_THROWS_WITH_AS(run(lnpt::global_unstructured{}, given, {.keep = density{keep}, .layer_floor = 0.1}),
                         doctest::Contains(keep == 0 ? "cannot keep 0 of 8 weights: 2 are certain to stay in their layers"
                                                     : "cannot keep 1 of 8 weights: 2 are certain to stay in their layers"),
                         lnpt::error);
  for (auto const floor : {-0.1, 1.1, std::numeric_limits<double>::quiet_NaN()})
    CHECK_THROWS_AS(run(lnpt::global_unstructured{}, given, {.keep = density{0.5}, .layer_floor = floor}), lnpt::error);
  // Of several floors each is its parameter's, unless the selection has one for all.
  given.parameters()[1].layer_floor = 1;
  CHECK(text(run(lnpt::global_unstructured{}, given, {.keep = density{0.5}})) == lines{"1001", "0101"});
  CHECK(text(run(lnpt::global_unstructured{}, given, {.keep = density{0.5}, .layer_floor = 0})) == lines{"1111", "0000"});

  auto const layers = random_model({{16, 3, 3, 3}, {64, 16, 3, 3}, {7}, {1}, {40, 64}}, 3);
  for (auto const keep : {0.001, 0.02, 0.3, 1.0})
    for (auto const floor : {0.1, 0.5, 1.0}) {
      auto const masks = run(lnpt::global_unstructured{}, layers, {.keep = density{keep}, .layer_floor = floor});
      std::size_t total = 0;
      for (auto const& each : masks) total += each.size();
      auto const n = lnpt::kept_count(density{keep}, total);
      CHECK(kept(masks) == n);
      for (auto const& each : masks)
        CHECK(static_cast<double>(each.count()) >=
              floor * static_cast<double>((n - masks.size()) * each.size()) / static_cast<double>(total));
    }
}

TEST_CASE("a floor in rounds asks for no more than the rounds before have left") {
  auto const layers = random_model({{16, 3, 3, 3}, {64, 16, 3, 3}, {7}, {40, 64}}, 4);
  auto survivors = run(lnpt::global_unstructured{}, layers, {.keep = density{0.5}, .layer_floor = 1});
  for (auto const keep : {0.2, 0.05, 0.001}) {
    auto masks = run(lnpt::global_unstructured{}, layers, {.keep = density{keep}, .survivors = &survivors, .layer_floor = 1});
    for (auto const& each : masks) CHECK(each.count() > 0);
    survivors = std::move(masks);
  }
}

TEST_CASE("a guarantee counts survivors only") {
  model<> given;
  given.add("a", {4}, {8, 5, 6, 7}).add("b", {4}, {1, 4, 2, 3});
  auto const survivors = run(lnpt::global_unstructured{}, given, {.keep = density{0.625}});
  CHECK(text(survivors) == lines{"1111", "0100"});
  CHECK(text(run(lnpt::global_unstructured{}, given, {.keep = density{0.5}, .survivors = &survivors, .at_least = 2})) ==
        lines{"1011", "0100"});
}

TEST_CASE("weights that stay in any case count within the ratio") {
  model<> given;
  given.add("a", {2, 2}, {8, 5, 6, 7}).add("b", {4}, {1, 4, 2, 3});
  selection const wanted{.keep = density{0.5}, .already_kept = {4, 4}};  // 6 of 12
  CHECK(text(run(lnpt::global_unstructured{}, given, wanted)) == lines{"1001", "0000"});
  CHECK(text(run(lnpt::layerwise_unstructured{}, given, wanted)) == lines{"1000", "0100"});
  CHECK_THROWS_AS(run(lnpt::global_unstructured{}, given, {.keep = density{0.1}, .already_kept = {4, 4}}), lnpt::error);
  CHECK_THROWS_AS(run(lnpt::layerwise_unstructured{}, given, {.keep = density{0.1}, .already_kept = {4, 4}}), lnpt::error);
}

TEST_CASE("pruned stays pruned: only survivors are ranked, and the ratio counts against the first number") {
  model<> given;
  given.add("a", {4}, {1, 2, 3, 4}).add("b", {4}, {5, 6, 7, 8});
  auto const survivors = run(lnpt::global_unstructured{}, given, {.keep = density{0.75}});
  CHECK(text(survivors) == lines{"0011", "1111"});
  model<> rescored;  // pruned weights score 0 and would beat the negative survivors
  rescored.add("a", {4}, {0, 0, -3, -1}).add("b", {4}, {-5, -2, -7, -8});
  CHECK(text(run(lnpt::global_unstructured{}, rescored, {.keep = density{0.25}, .survivors = &survivors})) ==
        lines{"0001", "0100"});
  CHECK(text(run(lnpt::layerwise_unstructured{}, rescored, {.keep = density{0.25}, .survivors = &survivors})) ==
        lines{"0001", "0100"});
  CHECK_THROWS_WITH_AS(run(lnpt::global_unstructured{}, rescored, {.keep = density{0.875}, .survivors = &survivors}),
                       "cannot keep 7 weights: 6 survived the earlier rounds; ask for a density that does not rise", lnpt::error);
}

TEST_CASE("counts are exact at every ratio, in all and in every layer") {
  auto const given = random_model({{7, 5, 3, 3}, {64, 7, 1, 1}, {0, 4}, {129}, {10, 64}}, 3);
  std::size_t total = 0;
  std::span<scored_parameter<float> const> const parameters = given;
  for (auto const& each : parameters) total += each.scores.size();
  for (double const keep : {0.0, 0.001, 0.02, 0.05, 0.3, 0.5, 0.98, 1.0}) {
    CHECK(kept(run(lnpt::global_unstructured{}, given, {.keep = density{keep}})) == lnpt::kept_count(density{keep}, total));
    for (auto const& each : run(lnpt::layerwise_unstructured{}, given, {.keep = density{keep}}))
      CHECK(each.count() == lnpt::kept_count(density{keep}, each.size()));
  }
}

TEST_CASE("whole filters go, each layer keeps one and the classifier all") {
  model<> given;  // filter sums: a 3, 7, 2; b 1, 1, 1; the classifier's are the smallest
  given.add("a", {3, 2}, {1, 2, 3, 4, 2, 0}).add("b", {3, 1}, {1, 1, 1}).add("fc", {2, 1}, {0, 0}, lnpt::role::classifier_weight);
  lnpt::channel_structured const strategy;
  CHECK(text(run(strategy, given, {.keep = density{0.5}})) == lines{"111100", "100", "11"});
  CHECK(text(run(strategy, given, {.keep = lnpt::density_of(lnpt::channels{1.0 / 3})})) == lines{"111111", "100", "11"});
  CHECK(text(run(strategy, given, {.keep = density{0.5}, .end = lnpt::keep_end::lowest})) == lines{"000011", "110", "11"});
  CHECK_THROWS_WITH_AS(run(strategy, given, {.keep = density{0.1}}),
                       doctest::Contains("cannot keep 1 of 6 channels: 2 are certain to stay in their layers"), lnpt::error);
}

TEST_CASE("a guarantee of weights is one of as many channels as hold them") {
  model<> given;
  given.add("a", {3, 2}, {9, 9, 9, 9, 9, 9}).add("b", {3, 2}, {1, 1, 2, 2, 3, 3});
  CHECK(text(run(lnpt::channel_structured{}, given, {.keep = density{2.0 / 3}})) == lines{"111111", "000011"});
  CHECK(text(run(lnpt::channel_structured{}, given, {.keep = density{2.0 / 3}, .at_least = 3})) == lines{"111100", "001111"});
}

TEST_CASE("channel scores accumulate as asked") {
  model<> given;
  given.add("a", {2, 4}, {-4, 1, 1, 1, 2, 0, 0, 0}).add("b", {2, 1}, {1, 1.5F});
  // sums −1, 2 | 1, 1.5; means −1/4, 1/2 | 1, 1.5; maxima 1, 2 | 1, 1.5; l2 √19, 2 | 1, 1.5
  auto const with = [&](lnpt::accumulation how, bool normalize = false) {
    return text(run(lnpt::channel_structured{how, normalize}, given, {.keep = density{0.75}}));
  };
  CHECK(with(lnpt::accumulation::sum) == lines{"00001111", "11"});
  CHECK(with(lnpt::accumulation::mean) == lines{"00001111", "11"});
  CHECK(with(lnpt::accumulation::maximum) == lines{"11111111", "01"});
  CHECK(with(lnpt::accumulation::l2) == lines{"11111111", "01"});
  CHECK(with(lnpt::accumulation::first) == lines{"00001111", "11"});  // −4, 2 | 1, 1.5
}

TEST_CASE("normalised layers compete whatever their scale") {
  model<> given;
  given.add("large", {3, 1}, {100, 101, 102}).add("small", {3, 1}, {1, 2, 6});
  CHECK(text(run(lnpt::channel_structured{}, given, {.keep = density{0.5}})) == lines{"011", "001"});
  lnpt::channel_structured const normalized{.normalize = true};  // large 0.99, 1, 1.01; small 1/3, 2/3, 2
  CHECK(text(run(normalized, given, {.keep = density{1.0 / 3}})) == lines{"001", "001"});
  CHECK(text(run(normalized, given, {.keep = density{5.0 / 6}})) == lines{"111", "011"});
}

TEST_CASE("the output axis need not come first") {
  model<> given;  // columns sum to 9, 12 and 6
  given.add("in_out", {2, 3}, {9, 5, 6, 0, 7, 0}, lnpt::role::weight, 1);
  CHECK(text(run(lnpt::channel_structured{}, given, {.keep = density{1.0 / 3}})) == lines{"010010"});
  model<> grouped;  // rows of the two outputs: 4 3 2 1 and 1 2 3 4
  grouped.add("in_out", {4, 2}, {4, 1, 3, 2, 2, 3, 1, 4}, lnpt::role::weight, 1);
  CHECK(text(run(lnpt::n_of_m<2, 4>{}, grouped, {})) == lines{"10100101"});
}

TEST_CASE("channels that were pruned stay pruned, and no pruned weight returns with its channel") {
  model<> given;
  given.add("a", {3, 2}, {1, 2, 3, 4, 5, 6});
  mask_set survivors;
  lnpt::mask partly("a", {3, 2}, false);
  partly.set(0, true);
  partly.set(3, true);
  survivors.add(partly);  // channel sums of survivors: 1, 4, none
  CHECK(text(run(lnpt::channel_structured{}, given, {.keep = density{2.0 / 3}, .survivors = &survivors})) == lines{"100100"});
  CHECK(text(run(lnpt::channel_structured{}, given, {.keep = density{1.0 / 3}, .survivors = &survivors})) == lines{"000100"});
}

TEST_CASE("two of every four stay, the earlier of equals, and layers whose inputs four does not divide are dense and named") {
  model<> given;
  given.add("fc", {2, 4}, {1, 2, 3, 4, 5, 5, 5, 5}).add("stem", {2, 3}, {1, 2, 3, 4, 5, 6});
  lnpt::n_of_m<2, 4> const strategy;
  CHECK(text(run(strategy, given, {})) == lines{"00111100", "111111"});
  CHECK(text(run(strategy, given, {.end = lnpt::keep_end::lowest})) == lines{"11001100", "111111"});
  CHECK(strategy.dense_parameters<float>(given) == std::vector<std::string>{"stem"});
  mask_set survivors;
  lnpt::mask partly("fc", {2, 4}, true);
  partly.set(3, false);
  for (std::size_t i = 4; i < 7; ++i) partly.set(i, false);
  survivors.add(partly);
  CHECK(text(run(strategy, given, {.survivors = &survivors})) == lines{"01100001", "111111"});
}

TEST_CASE("a convolution's groups run along its input channels, at each place of the kernel") {
  model<> given;  // one filter of four channels, two kernel places: 1 8, 2 7, 3 6, 4 5
  given.add("conv", {1, 4, 1, 2}, {1, 8, 2, 7, 3, 6, 4, 5});
  CHECK(text(run(lnpt::n_of_m<2, 4>{}, given, {})) == lines{"01011010"});  // the first place keeps 3 and 4, the second 8 and 7
  model<> others;
  others.add("depthwise", {4, 1, 3, 3}, std::vector<float>(36, 1))
      .add("transposed", {4, 2, 2, 2}, std::vector<float>(32, 1), lnpt::role::weight, 1);
  others.add("vector", {8}, std::vector<float>(8, 1));
  CHECK(lnpt::n_of_m<2, 4>{}.dense_parameters<float>(others) == std::vector<std::string>{"depthwise", "transposed", "vector"});
  for (auto const& mask : run(lnpt::n_of_m<2, 4>{}, others, {})) CHECK(mask.count() == mask.size());
}

TEST_CASE("every group of large parameters keeps its N best, as loops over channels and kernels find them") {
  auto const given = random_model({{33, 16, 3, 3}, {6, 8, 1, 5}, {70, 12}, {9, 4, 1, 1}}, 5);
  std::span<scored_parameter<float> const> const parameters = given;
  auto const masks = run(lnpt::n_of_m<1, 4>{}, given, {});
  for (auto mask = masks.begin(); auto const& each : parameters) {
    auto const outputs = each.extents[0], inputs = each.extents[1], kernel = each.scores.size() / (outputs * inputs);
    for (std::size_t k = 0; k < outputs; ++k)
      for (std::size_t first = 0; first < inputs; first += 4)
        for (std::size_t place = 0; place < kernel; ++place) {
          auto const at = [&](std::size_t c) { return (k * inputs + c) * kernel + place; };
          auto best = first;
          for (auto c = first; c < first + 4; ++c)
            if (each.scores[at(c)] > each.scores[at(best)]) best = c;
          for (auto c = first; c < first + 4; ++c) REQUIRE((*mask)[at(c)] == (c == best));
        }
    ++mask;
  }
}

TEST_CASE("a pattern that keeps fewer weights than are to stay in any case is refused") {
  model<> given;
  given.add("a", {2, 4}, {8, 7, 6, 5, 4, 3, 2, 1});
  CHECK(kept(run(lnpt::n_of_m<2, 4>{}, given, {.at_least = 4})) == 4);
  CHECK_THROWS_WITH_AS(static_cast<void>(run(lnpt::n_of_m<2, 4>{}, given, {.at_least = 5})),
                       doctest::Contains("2 of every 4 weights are 4 of a, fewer than the 5 that it is to keep at least"),
                       lnpt::request_error);
}

TEST_CASE("weights that equal the threshold are counted where their place decides which of them stay") {
  auto const decided = [](auto const& strategy, model<> const& given, selection wanted) {
    std::size_t count = 0;
    wanted.decided_by_position = &count;
    static_cast<void>(run(strategy, given, wanted));
    return count;
  };
  model<> given;
  given.add("a", {2, 4}, {4, 2, 2, 1, 3, 3, 3, 3}).add("b", {1, 4}, {2, 0, 0, 5});
  lnpt::global_unstructured const global;
  CHECK(decided(global, given, {.keep = density{0.5}}) == 0);        // 5 4 3 3 3 3: all threes
  CHECK(decided(global, given, {.keep = density{0.25}}) == 4);       // 5 4 3: one of four threes
  CHECK(decided(global, given, {.keep = density{7.0 / 12}}) == 3);   // one of three twos
  CHECK(decided(global, given, {.keep = density{11.0 / 12}}) == 2);  // one of two zeros
  CHECK(decided(global, given, {.keep = density{0.25}, .end = lnpt::keep_end::lowest}) == 0);
  CHECK(decided(lnpt::layerwise_unstructured{}, given, {.keep = density{0.25}}) == 4);  // a: 4 and one of the threes; b: 5
  CHECK(decided(lnpt::n_of_m<2, 4>{}, given, {}) == 2 + 4);                             // 2 2 of 4 2 2 1, and all of 3 3 3 3
  CHECK(decided(global, given, {.keep = density{1.0}}) == 0);
  CHECK(decided(global, given, {.keep = density{0.0}}) == 0);
  model<> channels;  // sums 3, 3 and 3, 1
  channels.add("a", {2, 3}, {1, 1, 1, 0, 2, 1}).add("b", {2, 2}, {1, 2, 1, 0});
  CHECK(decided(lnpt::channel_structured{}, channels, {.keep = density{0.5}}) ==
        6);  // the filters of a, one of which is certain to stay
  mask_set survivors;
  survivors.add({"a", {2, 3}, true});
  survivors.begin()->set(3, false);  // a 0: the sums stay as they are
  CHECK(decided(lnpt::channel_structured{}, channels, {.keep = density{0.5}, .survivors = &survivors}) == 3 + 2);
  CHECK(decided(lnpt::channel_structured{.per_layer = true}, channels, {.keep = density{0.5}, .survivors = &survivors}) == 3 + 2);
}

namespace {

/// What a ranking with minima keeps where, of equal scores, the one of the lower rank stays: first the best of each parameter, then the best
/// of all that is left.
std::vector<bool> kept_by_rank(std::vector<std::vector<float>> const& scores, std::vector<std::size_t> const& rank, std::size_t n,
                               std::size_t at_least) {
  struct weight {
    float score;
    std::size_t rank;
  };
  auto const is_better = [](weight const& a, weight const& b) {
    return a.score > b.score || (a.score == b.score && a.rank < b.rank);
  };
  std::vector<bool> kept(rank.size());
  auto const place_of = [&](weight const& w) {
    return static_cast<std::size_t>(std::find(rank.begin(), rank.end(), w.rank) - rank.begin());
  };
  std::vector<weight> rest;
  std::size_t certain = 0;
  std::size_t place = 0;
  for (auto const& layer : scores) {
    std::vector<weight> all;
    for (auto const score : layer) all.push_back({score, rank[place++]});
    std::sort(all.begin(), all.end(), is_better);
    for (std::size_t i = 0; i < all.size(); ++i)
      i < at_least ? void(kept[place_of(all[i])] = true), void(++certain) : rest.push_back(all[i]);
  }
  std::sort(rest.begin(), rest.end(), is_better);
  for (std::size_t i = 0; i + certain < n; ++i) kept[place_of(rest[i])] = true;
  return kept;
}

/// How many weights some order of the places keeps and another removes.
std::size_t decided_in_some_order(std::vector<std::vector<float>> const& scores, std::size_t n, std::size_t at_least) {
  std::vector<std::size_t> rank;
  for (auto const& layer : scores)
    for (std::size_t i = 0; i < layer.size(); ++i) rank.push_back(rank.size());
  std::vector<int> stays(rank.size());
  int orders = 0;
  do {
    auto const kept = kept_by_rank(scores, rank, n, at_least);
    for (std::size_t i = 0; i < kept.size(); ++i) stays[i] += kept[i];
    ++orders;
  } while (std::next_permutation(rank.begin(), rank.end()));
  return static_cast<std::size_t>(std::ranges::count_if(stays, [&](int count) { return 0 < count && count < orders; }));
}

}  // namespace

TEST_CASE("a weight that a minimum keeps, or that stays beyond it, is not decided by its place") {
  auto const decided = [](model<> const& given, density keep, std::size_t at_least, double floor = 0) {
    std::size_t count = 0;
    static_cast<void>(run(lnpt::global_unstructured{}, given,
                          {.keep = keep, .at_least = at_least, .layer_floor = floor, .decided_by_position = &count}));
    return count;
  };
  model<> given;
  given.add("a", {1, 4}, {2, 2, 2, 2}).add("b", {1, 4}, {1, 1, 1, 0});
  CHECK(decided(given, density{7.0 / 8}, 1) == 0);  // all but the 0 stay, whichever 2 and 1 are certain to
  CHECK(decided(given, density{6.0 / 8}, 1) == 3);  // two of the ones
  CHECK(decided(given, density{3.0 / 8}, 1) == 7);  // two of the twos, and one of the ones
  CHECK(decided(given, density{7.0 / 8}, 0, 0.5) == 0);

  std::mt19937 generator(11);
  std::uniform_int_distribution<int> value(0, 2);
  for (int repetition = 0; repetition < 60; ++repetition) {
    std::vector<std::vector<float>> scores{std::vector<float>(2), std::vector<float>(2), std::vector<float>(2)};
    model<> small;
    for (auto& layer : scores) {
      for (auto& score : layer) score = static_cast<float>(value(generator));
      small.add("p" + std::to_string(&layer - scores.data()), {1, 2}, layer);
    }
    for (std::size_t n = 3; n <= 6; ++n)
      CHECK(decided(small, density{static_cast<double>(n) / 6}, 1) == decided_in_some_order(scores, n, 1));
    for (std::size_t n = 0; n <= 6; ++n)
      CHECK(decided(small, density{static_cast<double>(n) / 6}, 0) == decided_in_some_order(scores, n, 0));
  }
}

TEST_CASE("ties are counted alike where the selection samples") {
  std::mt19937 generator(3);
  model<> given;
  std::vector<float> scores(50'000);
  for (auto& score : scores) score = static_cast<float>(generator() % 100);
  given.add("large", {500, 100}, scores);
  std::size_t counted = 0;
  auto const masks = run(lnpt::global_unstructured{}, given, {.keep = density{0.3}, .decided_by_position = &counted});
  auto sorted = scores;
  std::nth_element(sorted.begin(), sorted.begin() + 14'999, sorted.end(), std::greater<>());
  CHECK(counted == static_cast<std::size_t>(std::count(scores.begin(), scores.end(), sorted[14'999])));
}

namespace {

/// Scores on a device, which ranks them itself: here by the core's selection, counting what was asked of it.
struct far_scores : lnpt::distant_scores<float> {
  std::vector<float> values;
  int* copies;
  int* rankings;

  far_scores(std::vector<float> v, int* c, int* r) : values(std::move(v)), copies(c), rankings(r) {}
  [[nodiscard]] std::size_t size() const override { return values.size(); }
  void copy_to(std::span<float> host) const override {
    ++*copies;
    std::copy(values.begin(), values.end(), host.begin());
  }
  [[nodiscard]] std::optional<lnpt::ranking_outcome> keep_largest(std::span<lnpt::ranked_part<float> const> parts, std::size_t n,
                                                                  lnpt::keep_end end) const override {
    ++*rankings;
    std::vector<lnpt::ranked_scores<float>> host;
    for (auto const& part : parts)
      host.push_back({dynamic_cast<far_scores const&>(*part.scores.distant()).values, part.kept, part.among});
    return lnpt::keep_largest<float>(host, n, end);
  }
};

}  // namespace

TEST_CASE("scores on a device are ranked there, minima and layers too, and come to the host once where they are read") {
  auto const near = random_model({{30, 7}, {5, 3, 3, 3}, {4, 30}}, 7);
  std::span<scored_parameter<float> const> const parameters = near;
  int copies = 0, rankings = 0;
  std::vector<scored_parameter<float>> far(parameters.begin(), parameters.end());
  for (auto& each : far) {
    auto const host = each.scores.on_host();
    each.scores =
        lnpt::score_values<float>(std::make_shared<far_scores>(std::vector<float>(host.begin(), host.end()), &copies, &rankings));
  }
  std::span<scored_parameter<float> const> const there = far;
  selection const wanted{.keep = density{0.2}, .at_least = 20};
  CHECK(lnpt::global_unstructured{}(there, wanted) == lnpt::global_unstructured{}(parameters, wanted));
  CHECK(lnpt::layerwise_unstructured{}(there, wanted) == lnpt::layerwise_unstructured{}(parameters, wanted));
  CHECK(rankings == (3 + 1) + 3);  // minima of three layers and the rest; three layers
  CHECK(copies == 0);
  selection const half{.keep = density{0.5}};
  CHECK(lnpt::channel_structured{}(there, half) == lnpt::channel_structured{}(parameters, half));
  CHECK(lnpt::n_of_m<2, 4>{}(there, {}) == lnpt::n_of_m<2, 4>{}(parameters, {}));
  CHECK(copies == 3);
}

TEST_CASE("masks are the same bits for any number of threads") {
  auto const given = random_model({{64, 64, 3, 3}, {128, 64, 3, 3}, {12, 128}}, 9);
  auto const all = [&](std::size_t threads) {
    tbb::global_control const limit(tbb::global_control::max_allowed_parallelism, threads);
    return std::vector{
        run(lnpt::global_unstructured{}, given, {.keep = density{0.1}, .at_least = 7}),
        run(lnpt::layerwise_unstructured{}, given, {.keep = density{0.1}}),
        run(lnpt::channel_structured{.accumulate = lnpt::accumulation::l2, .normalize = true}, given, {.keep = density{0.4}}),
        run(lnpt::n_of_m<2, 4>{}, given, {})};
  };
  auto const alone = all(1);
  CHECK(alone == all(2));
  CHECK(alone == all(4));
}

TEST_CASE_TEMPLATE("scores that are not finite are refused by parameter and count", Strategy, lnpt::global_unstructured,
                   lnpt::layerwise_unstructured, lnpt::channel_structured, lnpt::n_of_m<2, 4>) {
  model<double> given;
  auto const nan = std::numeric_limits<double>::quiet_NaN();
  auto const infinity = std::numeric_limits<double>::infinity();
  given.add("fine", {4}, {1, 2, 3, 4}).add("conv1", {2, 4}, {1, nan, 3, 4, -infinity, 2, 3, infinity});
  CHECK_THROWS_WITH_AS(
      run(Strategy{}, given, {.keep = density{0.5}}),
      "scores are NaN or infinite (3 of 8 in conv1), so nothing was masked: score finite weights and inputs, or in double",
      lnpt::error);
  CHECK_THROWS_AS(run(Strategy{}, given, {.keep = density{0.5}, .at_least = 1}), lnpt::error);
}

TEST_CASE("of many parameters with scores that are not finite three are named") {
  model<double> given;
  for (auto const* const name : {"a", "b", "c", "d", "e"}) given.add(name, {2}, {1, std::numeric_limits<double>::infinity()});
  CHECK_THROWS_WITH_AS(
      run(lnpt::global_unstructured{}, given, {.keep = density{0.5}}),
      "scores are NaN or infinite (1 of 2 in a, 1 of 2 in b, 1 of 2 in c and in 2 more parameters), so nothing was "
      "masked: score finite weights and inputs, or in double",
      lnpt::error);
}

TEST_CASE_TEMPLATE("scores and survivors of another shape are refused", Strategy, lnpt::global_unstructured,
                   lnpt::layerwise_unstructured, lnpt::channel_structured, lnpt::n_of_m<2, 4>) {
  model<> given;
  given.add("conv1", {2, 2}, {1, 2, 3});
  CHECK_THROWS_WITH_AS(run(Strategy{}, given, {}), "conv1 has the shape [2, 2] but 3 scores: pass 4", lnpt::error);
  model<> other;
  other.add("conv1", {4}, {1, 2, 3, 4});
  mask_set survivors;
  survivors.add({"conv1", {2, 2}, true});
  CHECK_THROWS_WITH_AS(run(Strategy{}, other, {.survivors = &survivors}),
                       "the survivors of conv1 have the shape [2, 2], its scores [4]: pass the masks of this model", lnpt::error);
}

TEST_CASE("a transposed convolution in groups has the output channels of each group") {
  model<> given;  // [in, out / groups] = [4, 2] in two groups: channels 0 and 1 of rows 0 and 1, channels 2 and 3 of rows 2 and 3
  given.add("up", {4, 2}, {1, 9, 1, 9, 5, 2, 6, 2}, lnpt::role::weight, 1);
  given.parameters()[0].output_groups = 2;
  CHECK(text(run(lnpt::channel_structured{}, given, {.keep = density{0.5}})) == lines{"01011010"});
  given.parameters()[0].output_groups = 3;
  CHECK_THROWS_WITH_AS(run(lnpt::channel_structured{}, given, {}),
                       "up has the shape [4, 2], whose axes before axis 1 are not 3 equal groups: let output_groups divide them",
                       lnpt::error);
}

TEST_CASE("an output axis that is not there is refused") {
  model<> given;
  given.add("conv1", {2, 2}, {1, 2, 3, 4}, lnpt::role::weight, 2);
  CHECK_THROWS_WITH_AS(run(lnpt::channel_structured{}, given, {}),
                       "conv1 has the shape [2, 2] and no axis 2: let output_axis be less than 2", lnpt::error);
}
