/// Budgets over atoms: a ranking by hand, and large networks counted again after physical removal.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <numeric>

#include <lnpt/criterion/magnitude.hpp>
#include <lnpt/criterion/random.hpp>
#include <lnpt/mask/channel_structured.hpp>
#include <lnpt/prune.hpp>
#include <lnpt/structure/counts.hpp>
#include <lnpt/structure/coupled_channels.hpp>
#include <lnpt/structure/dead_paths.hpp>
#include <lnpt/structure/remove.hpp>
#include <lnpt/zoo/mlp.hpp>
#include <lnpt/zoo/mobilenet.hpp>
#include <lnpt/zoo/resnet.hpp>
#include <lnpt/zoo/vgg.hpp>

#include "nets.hpp"

using namespace lnpt;
using backend = cpu::backend<float>;
using net32 = network<backend>;

namespace {

/// An mlp 2, 4, 2: unit u is rows a/u, bias a/u, column fc/u, 5 parameters and 4 multiply–adds.
struct by_hand {
  net32 network = zoo::mlp<backend>(std::vector<std::size_t>{2, 4, 2});
  channel_map map = channel_map_of(network, {2});
  std::vector<float> a{1, 2, /**/ 5, -4, /**/ 0, 1, /**/ 3, 3}, fc{1, 0, 8, 1, /**/ 1, 0, -8, 1};

  template <class Budget>
  std::vector<std::size_t> removed(Budget budget, coupled_channels<Budget> strategy = {}, keep_end end = keep_end::highest,
                                   std::size_t* decided_by_position = nullptr) const {
    strategy.atoms = &map.set;
    std::vector<scored_parameter<float>> const scores{{"hidden.0.weight", {4, 2}, a},
                                                      {"fc.weight", {2, 4}, fc, role::classifier_weight}};
    auto const masks = strategy(std::span(scores),
                                selection{.keep = density_of(budget), .end = end, .decided_by_position = decided_by_position});
    auto const* const kept = masks.find("hidden.0.bias");
    std::vector<std::size_t> gone;
    for (std::size_t u = 0; u < 4; ++u)
      if (kept != nullptr && !(*kept)[u]) gone.push_back(u);
    return gone;
  }
};
using units = std::vector<std::size_t>;

std::vector<char> atoms_gone(channel_map const& map, mask_set const& masks) { return dead_atoms(map, dead_paths_of(map, masks)); }

template <class Budget>
std::pair<net32, std::vector<char>> pruned(net32& network, channel_map const& map, Budget budget,
                                           channel_rounding rounding = {}) {
  auto const masks = prune<magnitude, coupled_channels<Budget>>(
                         network, {.budget = budget, .strategy = {.atoms = &map.set, .round_to = rounding}})
                         .masks;
  auto gone = atoms_gone(map, masks);
  return {without(network, map, gone), gone};
}

double share(double part, std::size_t whole) { return part / static_cast<double>(whole); }

}  // namespace

TEST_CASE("the score of a unit is accumulated over its row and its column; the lowest go first") {
  by_hand const net;                               // sums: 1+2+1+1 = 5, 5−4+0+0 = 1, 0+1+8−8 = 1, 3+3+1+1 = 8
  CHECK(net.removed(channels{0.25}) == units{2});  // 1 and 2 are equal: the first stays
  CHECK(net.removed(channels{0.3}) == units{1, 2});
  CHECK(net.removed(channels{0.75}) == units{0, 1, 2});
  CHECK(net.removed(channels{0.25}, {}, keep_end::lowest) == units{3});
  CHECK(net.removed(channels{0.25}, {.accumulate = accumulation::maximum}) == units{0});  // 2, 5, 8, 3
  CHECK(net.removed(channels{0.25}, {.accumulate = accumulation::l2}) == units{0});       // 7, 41, 129, 20
  CHECK(net.removed(channels{0.5}, {.accumulate = accumulation::mean}) == units{1, 2});
  CHECK(net.removed(channels{0.5}, {.accumulate = accumulation::first}) == units{0, 2});  // 1, 5, 0, 3
  // means of magnitudes 19/8 and 20/8: 24/19 + 16/20, 8/19, 8/19 + 0, 48/19 + 16/20
  CHECK(net.removed(channels{0.25}, {.normalize = true}) == units{2});
}

TEST_CASE("random numbers choose among channels alike, however many weights each has, where the first of each is taken") {
  auto net = zoo::mlp<backend>(std::vector<std::size_t>{256, 40, 40, 2});  // units of 296 weights, and of 42
  auto const map = channel_map_of(net, {256});
  auto const kept = [&](accumulation how, char const* bias) {
    auto const masks = prune<lnpt::random, coupled_channels<channels>>(
                           net, {.budget = channels{0.5}, .strategy = {.atoms = &map.set, .accumulate = how}})
                           .masks;
    return masks.find(bias)->count();
  };
  CHECK(kept(accumulation::sum, "hidden.0.bias") == 39);
  CHECK(kept(accumulation::sum, "hidden.1.bias") == 1);
  for (auto const* const bias : {"hidden.0.bias", "hidden.1.bias"}) {
    CHECK(kept(accumulation::first, bias) >= 12);
    CHECK(kept(accumulation::first, bias) <= 28);
  }
}

namespace {

/// Halves the way to the end, and remembers which ends it was asked for.
struct remembering {
  static inline std::vector<double> ends;
  density operator()(std::size_t round, std::size_t rounds, density last) const {
    ends.push_back(last.value());
    return round == rounds ? last : density{0.5 * (1 + last.value())};
  }
};

/// Prunes to a quarter in two rounds, from masks that keep half, and tells which ends the schedule was given.
template <class Mask>
std::vector<double> ends_from_half(net32& network, Mask const& strategy, typename Mask::budget half,
                                   typename Mask::budget quarter) {
  auto start = prune<magnitude, Mask>(network, {.budget = half, .strategy = strategy}).masks;
  remembering::ends.clear();
  static_cast<void>(prune<magnitude, Mask, remembering>(
      network, {.budget = quarter, .strategy = strategy, .rounds = 2, .start = std::move(start)}));
  return remembering::ends;
}

}  // namespace

TEST_CASE("rounds that begin at masks begin at the density of these, in the unit of the budget") {
  by_hand net;
  std::vector<double> const of_half{0.5, 0.25};  // half of what is there, and a quarter of all
  CHECK(ends_from_half(net.network, channel_structured{}, channels{0.5}, channels{0.75}) == of_half);
  CHECK(ends_from_half(net.network, coupled_channels<channels>{.atoms = &net.map.set}, channels{0.5}, channels{0.75}) == of_half);
  CHECK(ends_from_half(net.network, coupled_channels<flops>{.atoms = &net.map.set}, flops{0.5}, flops{0.75}) == of_half);
  // 12 of 22 parameters stay of half the units, and 7 at last
  auto const ends = ends_from_half(net.network, coupled_channels<parameters>{.atoms = &net.map.set}, parameters{10.0 / 22},
                                   parameters{15.0 / 22});
  CHECK(ends.front() == doctest::Approx(7.0 / 12));
}

TEST_CASE("weights are counted where the place of equal units decides which of them stays") {
  by_hand const net;  // two units of equal score, each of two weights in and two out
  std::size_t decided = 0;
  static_cast<void>(net.removed(channels{0.25}, {}, keep_end::highest, &decided));
  CHECK(decided == 8);
  static_cast<void>(net.removed(channels{0.3}, {}, keep_end::highest, &decided));  // both go
  CHECK(decided == 8);
}

TEST_CASE("weights are counted once, and not where a minimum or another unit decides") {
  auto net = zoo::mlp<backend>(std::vector<std::size_t>{1, 2, 3, 2});  // units of a with 1 weight in, of b with 2, and 3 or 2 out
  auto const map = channel_map_of(net, {1});
  auto const decided = [&](std::vector<float> const& a, std::vector<float> const& b, double share) {
    std::vector<float> const none(6);
    std::vector<scored_parameter<float>> const scores{
        {"hidden.0.weight", {2, 1}, a}, {"hidden.1.weight", {3, 2}, b}, {"fc.weight", {2, 3}, none, role::classifier_weight}};
    std::size_t count = 0;
    coupled_channels<channels> const strategy{.atoms = &map.set};
    static_cast<void>(strategy(std::span(scores), selection{.keep = density_of(channels{share}), .decided_by_position = &count}));
    return count;
  };
  std::vector<float> const equal(6), of_b{1, 1, 2, 2, 3, 3}, of_a{5, 5};
  CHECK(decided({0, 0}, equal, 0.2) == 14);  // any of five: 2 + 6 + 6 weights, those between a and b once
  CHECK(decided({0, 0}, equal, 0.6) == 14);  // one of a and one of b are certain to stay, and none knows which
  CHECK(decided({-9, -9}, of_b, 0.2) == 8);  // one of a: 2 weights in, 6 out
  CHECK(decided({-9, -9}, of_b, 0.4) == 6);  // and the worst of b goes for its score, with a weight of each unit of a
  CHECK(decided(of_a, {0, 0, 0, 0, 9, 9}, 0.2) == 8);
  CHECK(decided({-9, -8}, {1, 1, 1, 1, 1, 1}, 0.2) == 0);
}

TEST_CASE("parameters and multiply-adds are counted as they are after removal") {
  by_hand const net;  // 22 parameters and 16 multiply–adds, 5 and 4 fewer for each unit
  CHECK(net.removed(parameters{5.0 / 22}) == units{2});
  CHECK(net.removed(parameters{5.1 / 22}) == units{1, 2});
  CHECK(net.removed(flops{0.25}) == units{2});
  CHECK(net.removed(flops{0.26}) == units{1, 2});
  CHECK_THROWS_WITH_AS((void)net.removed(flops{0.8}), doctest::Contains("no more than 0.75 of the multiply-adds can go"), error);
  CHECK(net.removed(channels{0.25}, {.round_to = {.multiple = 2}}) == units{1, 2});  // 3 of 4 would not be round
  CHECK(net.removed(channels{0}) == units{});
}

TEST_CASE("channels that stay keep no weight that went before, and channels that went before stay away without a score") {
  by_hand net;
  mask_set start;
  start.add({"hidden.0.weight", {4, 2}, true});
  start.begin()->set(1, false);
  auto const masks = prune<magnitude, coupled_channels<channels>>(
                         net.network, {.budget = channels{0.25}, .strategy = {.atoms = &net.map.set}, .start = start})
                         .masks;
  CHECK_FALSE((*masks.find("hidden.0.weight"))[1]);

  for (auto const i : {4, 5}) start.begin()->set(static_cast<std::size_t>(i), false);  // unit 2
  std::vector<scored_parameter<float>> const of_other_filters{
      {.name = "fc.weight", .extents = {2, 4}, .scores = net.fc, .role = role::classifier_weight, .of_filters = true}};
  coupled_channels<channels> const strategy{.atoms = &net.map.set};
  auto const gone = strategy(std::span(of_other_filters), selection{.keep = density{0.75}, .survivors = &start});
  for (std::size_t u = 0; u < 4; ++u) CHECK((*gone.find("hidden.0.bias"))[u] == (u != 2));
}

TEST_CASE("a strategy without atoms, and scores of another model, are refused") {
  by_hand net;
  CHECK_THROWS_WITH_AS((void)(prune<magnitude, coupled_channels<flops>>(net.network, {.budget = flops{0.5}})),
                       doctest::Contains("does not know the model"), error);
  auto other = zoo::mlp<backend>(std::vector<std::size_t>{2, 5, 2});
  CHECK_THROWS_WITH_AS(
      (void)(prune<magnitude, coupled_channels<flops>>(other, {.budget = flops{0.5}, .strategy = {.atoms = &net.map.set}})),
      doctest::Contains("take those of this model"), error);
}

TEST_CASE("published counts, and budgets that hold after removal within one atom") {
  struct net_case {
    char const* name;
    net32 network;
    double parameters, multiply_adds;  // in millions, as published
    std::vector<double> removed;       // of the multiply–adds
  };
  std::vector<net_case> cases;
  // The points of LNPT's Table III, and what its tables count.
  cases.push_back({"VGG-16", zoo::vgg<backend>({.depth = 16}), 14.72, 313.20, {0.679, 0.848}});
  cases.push_back({"ResNet-56",
                   zoo::resnet<backend>({.depth = 56, .widths = {16, 32, 64}, .shortcut = zoo::shortcut::zero_padded}),
                   0.85,
                   125.49,
                   {0.464, 0.544, 0.641}});
  for (auto& [name, network, millions, millions_of_multiply_adds, removed] : cases) {
    CAPTURE(name);
    shape const input{3, 32, 32};
    auto const before = count(network, input);
    CHECK(share(static_cast<double>(before.size()), 1'000'000) == doctest::Approx(millions).epsilon(0.006));
    CHECK(share(static_cast<double>(before.multiply_adds()), 1'000'000) ==
          doctest::Approx(millions_of_multiply_adds).epsilon(0.0001));
    auto const map = channel_map_of(network, input);
    for (auto const fraction : removed) {
      auto [smaller, gone] = pruned(network, map, flops{fraction});
      auto const left = count(smaller, input).multiply_adds();
      auto const limit = (1 - fraction) * static_cast<double>(before.multiply_adds());
      CHECK(static_cast<double>(left) <= limit);
      detail::remaining_network remaining(map.set, counted::flops);
      for (std::size_t a = 0; a < gone.size(); ++a)
        if (gone[a]) remaining.remove(map.set.atoms[a]);
      CHECK(remaining.cost() == static_cast<double>(left));
      double largest = 0;  // with one atom put back
      for (std::size_t a = 0; a < gone.size(); ++a) {
        if (!gone[a]) continue;
        auto wider = remaining;
        wider.restore(map.set.atoms[a]);
        largest = std::max(largest, wider.cost());
      }
      CHECK(largest > limit);
    }
  }
}

TEST_CASE("rounded widths are multiples of what the engine is good at, and the budget still holds") {
  auto network = zoo::resnet<backend>({.depth = 20, .widths = {16, 32, 64}, .shortcut = zoo::shortcut::zero_padded});
  shape const input{3, 32, 32};
  auto const map = channel_map_of(network, input);
  auto const rounding = round_to<net32>();
  CHECK(rounding.multiple == 8);
  CHECK(channel_rounding{16, 16}(9, 64) == 9);
  CHECK(channel_rounding{16, 16}(17, 64) == 32);
  CHECK(channel_rounding{16, 16}(17, 20) == 20);
  auto [smaller, gone] = pruned(network, map, flops{0.5}, rounding);
  auto const before = count(network, input), after = count(smaller, input);
  CHECK(2 * after.multiply_adds() <= before.multiply_adds());
  CHECK(5 * after.multiply_adds() > 2 * before.multiply_adds());
  for (auto const& p : after.parameters)
    if (p.extents.size() == 4) CHECK(p.extents[0] % 8 == 0);

  // No eight channels that went together had room: none of any layer, whichever they are.
  for (auto const share_removed : {0.05, 0.3, 0.5, 0.65}) {
    CAPTURE(share_removed);
    auto const removed = pruned(network, map, flops{share_removed}, rounding).second;
    detail::remaining_network left(map.set, counted::flops);
    auto const limit = (1 - share_removed) * left.cost();
    std::map<std::size_t, std::vector<std::size_t>> gone_of_group;
    auto const groups = groups_of(map.set);
    for (std::size_t a = 0; a < removed.size(); ++a)
      if (removed[a]) left.remove(map.set.atoms[a]), gone_of_group[groups[a]].push_back(a);
    CHECK(left.cost() <= limit);
    for (auto const& [group, atoms] : gone_of_group) {
      auto wider = left;
      for (std::size_t i = 0; i < 8; ++i) wider.restore(map.set.atoms[atoms[i]]);
      CHECK(wider.cost() > limit);
    }
  }
}
