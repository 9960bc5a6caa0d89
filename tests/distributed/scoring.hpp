#pragma once
/// What scoring and pruning over several processes is held to, on any communicator: the scenes, and what one process finds.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <lnpt/conformance/scoring.hpp>
#include <lnpt/distributed.hpp>
#include <lnpt/lnpt.hpp>

#include "overlap.hpp"

namespace distributed {

using backend = lnpt::cpu::backend<double>;
using array = lnpt::cpu::array<double>;
using network = lnpt::network<backend>;
using batches = std::vector<lnpt::labelled_batch<array>>;

/// ½/B Σ_b ‖m_t,b − m_b‖² of features, with S = I: every number of it is exact where those of the network are.
struct half_gap {
  static constexpr lnpt::loss_needs needs{.teacher = true, .features = true};

  template <class T>
  [[nodiscard]] double value(lnpt::prediction<T> const& student, lnpt::target<T> const& expected) const {
    return 0.5 * lnpt::feature_gap{}.value(student, expected);
  }
  template <class V>
  [[nodiscard]] lnpt::cotangents<V> cotangent(lnpt::prediction<V> const& student,
                                              lnpt::target<lnpt::primal_t<V>> const& expected) const {
    auto slopes = lnpt::feature_gap{}.cotangent(student, expected);
    slopes.features = V(0.5 * *slopes.features);
    return slopes;
  }
  template <class T>
  [[nodiscard]] lnpt::cotangents<T> curvature_probe(lnpt::prediction<T> const&, T const& z) const {
    return {std::nullopt, z};
  }
};

/// Part p of `parts` that is so many to a rank: whole parts, in the ranks' order, the last rank with what is left.
template <class Part>
std::vector<Part> held_by(std::vector<Part> const& parts, std::size_t rank, std::size_t size) {
  auto const first = parts.size() * rank / size;
  auto const last = parts.size() * (rank + 1) / size;
  return {parts.begin() + static_cast<std::ptrdiff_t>(first), parts.begin() + static_cast<std::ptrdiff_t>(last)};
}

/// A batch whose labels go round, cut into parts of these sizes.
inline batches cut(array const& input, std::vector<std::size_t> const& sizes, std::size_t classes) {
  batches parts;
  for (std::size_t begin = 0; auto const size : sizes) {
    std::vector<std::int64_t> labels;
    for (auto i = begin; i < begin + size; ++i) labels.push_back(static_cast<std::int64_t>(i % classes));
    parts.push_back({lnpt::rows(input, begin, begin + size), labels});
    begin += size;
  }
  return parts;
}

/// Multiples of `unit` from −3 to 3 times it.
inline array small_multiples(lnpt::shape const& extents, std::uint64_t seed, double unit) {
  std::vector<double> values(lnpt::element_count(extents));
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = unit * (static_cast<double>(lnpt::random_below(7, lnpt::random_bits(seed, 1, i))) - 3);
  return lnpt::make_tensor<array>(extents, values, {});
}

/// A network, its teacher and a batch in four uneven parts whose sums are all exact in double: multiples of ¼, and sizes that are powers
/// of 2. Parts of one sample see one class of four.
struct exact_scene {
  network student = lnpt::zoo::mlp<backend>(std::vector<std::size_t>{6, 9, 8, 4}, 1);
  network trained = lnpt::zoo::mlp<backend>(std::vector<std::size_t>{6, 9, 8, 4}, 2);
  batches parts = cut(small_multiples({8, 6}, 3, 1), {1, 1, 2, 4}, 4);

  exact_scene() {
    for (auto* const net : {&student, &trained})
      for (std::uint64_t i = 0; auto const& p : net->parameters())
        *p.value = small_multiples(lnpt::shape_of(*p.value), 10 * ++i + (net == &trained), 0.25);
  }
  [[nodiscard]] auto guide() { return lnpt::teacher(trained); }
};

/// A residual network with batch norm, and eleven images in parts of 5, 1, 3 and 2.
struct rounded_scene {
  network student = lnpt::zoo::resnet<backend>({.depth = 8, .widths = {4, 6, 8}, .classes = 4}, 1);
  network trained = lnpt::zoo::resnet<backend>({.depth = 8, .widths = {4, 6, 8}, .classes = 4}, 2);
  batches parts;

  rounded_scene() {
    std::vector<double> pixels(std::size_t{11} * 3 * 8 * 8);
    for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = lnpt::normal(3, 7, i).first;
    parts = cut(lnpt::make_tensor<array>({11, 3, 8, 8}, pixels, {}), {5, 1, 3, 2}, 4);
  }
  [[nodiscard]] auto guide() { return lnpt::teacher(trained); }
};

/// The masks of all eight criteria at 70 %, by what `on(scene)` gives for batches; GraSP also in three rounds.
template <class Scene, class On>
std::vector<lnpt::mask_set> masks_of_all(Scene& s, On on) {
  using namespace lnpt;
  prune_options<global_unstructured> const once{.budget = sparsity{0.7}};
  auto thrice = once;
  thrice.rounds = 3;
  auto const mine = on(s);
  half_gap const loss;
  return {prune<magnitude>(s.student, mine, once).masks,
          prune<lnpt::random>(s.student, mine, once).masks,
          prune<synflow>(s.student, mine, thrice).masks,
          prune<snip>(s.student, mine, s.guide(), loss, once).masks,
          prune<taylor>(s.student, mine, s.guide(), loss, once).masks,
          prune<obd<>>(s.student, mine, s.guide(), loss, once).masks,
          prune<grasp>(s.student, mine, s.guide(), loss, once).masks,
          prune<grasp>(s.student, mine, s.guide(), loss, thrice).masks,
          prune<feature_map_synaptic<>>(s.student, mine, s.guide(), loss, once).masks};
}

/// The scores of criteria that sum in each of the ways there are: gradients of batches, H g, probes under frozen constants.
template <class Scene, class On>
std::vector<lnpt::score_set<array>> scores_of_all(Scene& s, On on) {
  using namespace lnpt;
  auto const mine = on(s);
  return {score<snip>(s.student, mine), score<grasp>(s.student, mine), score<obd<>>(s.student, mine),
          score<feature_map_synaptic<>>(s.student, mine, s.guide()),
          score<feature_map_synaptic<hessian_gradient>>(s.student, mine, s.guide())};
}

/// The largest difference of two sets of scores, by parameter and relative to its largest score.
inline double difference(lnpt::score_set<array> const& a, lnpt::score_set<array> const& b) {
  if (a.parameters.size() != b.parameters.size()) return 1;
  double worst = 0;
  for (std::size_t p = 0; p < a.parameters.size(); ++p) {
    double largest = 0, apart = 0;
    for (std::size_t i = 0; i < a.parameters[p].values.size(); ++i) {
      largest = std::max(largest, std::abs(b.parameters[p].values.flat(i)));
      apart = std::max(apart, std::abs(a.parameters[p].values.flat(i) - b.parameters[p].values.flat(i)));
    }
    worst = std::max(worst, apart / largest);
  }
  return worst;
}

/// Throws where what ranks find together is not what one process finds; called on every rank.
template <lnpt::communicator R>
void compare_with_one_process(R& ranks) {
  auto const on_ranks = [&](auto& s) {
    static thread_local batches mine;
    mine = held_by(s.parts, ranks.rank(), ranks.size());
    return lnpt::shard(mine, ranks);
  };
  auto const on_one = [](auto& s) -> batches const& { return s.parts; };

  exact_scene exact;
  auto const before = lnpt::conformance::detail::state_of(exact.student);
  auto const together = masks_of_all(exact, on_ranks);
  if (lnpt::conformance::detail::state_of(exact.student) != before) lnpt::fail("pruning changed the network");
  auto const one = masks_of_all(exact, on_one);
  for (std::size_t c = 0; c < one.size(); ++c)
    if (together[c] != one[c]) lnpt::fail("the masks of criterion ", c, " are others, ", overlap(one[c], together[c]));

  rounded_scene rounded;
  auto const scores = scores_of_all(rounded, on_ranks);
  auto const expected = scores_of_all(rounded, on_one);
  for (std::size_t c = 0; c < expected.size(); ++c)
    if (auto const apart = difference(scores[c], expected[c]); !(apart <= 1e-12))
      lnpt::fail("the scores of criterion ", c, " differ by ", apart);
  lnpt::prune_options<lnpt::global_unstructured> const options{.budget = lnpt::sparsity{0.9}};
  auto const masks =
      lnpt::prune<lnpt::feature_map_synaptic<>>(rounded.student, on_ranks(rounded), rounded.guide(), options).masks;
  if (overlap(lnpt::prune<lnpt::feature_map_synaptic<>>(rounded.student, rounded.parts, rounded.guide(), options).masks, masks) <
      .999)
    lnpt::fail("the masks of ranks are not those of one process");
  for (auto const& m : masks) {
    auto const bytes = ranks.gather(std::as_bytes(m.words()));
    for (auto const& theirs : bytes)
      if (theirs != bytes[0]) lnpt::fail("ranks hold different masks of ", m.name());
  }
}

}  // namespace distributed
