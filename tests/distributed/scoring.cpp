/// Scoring and pruning over ranks that are threads: equal to one process, refused by all together, and ended in time by a lost rank.
#include "scoring.hpp"

#include <limits>

#include <lnpt/conformance/communicator.hpp>

#include "threads.hpp"

using namespace lnpt;
using namespace std::chrono_literals;
using distributed::exact_scene;

namespace {

void check_well(std::vector<threads::outcome> const& outcomes) {
  for (auto const& each : outcomes) CHECK(each.error.empty());
}
void check_refused(std::vector<threads::outcome> const& outcomes, std::string const& sentence) {
  for (auto const& each : outcomes) CHECK(each.error == sentence);
}

/// What a rank of a scene does: GraSP in two rounds, after `spoil(rank, scene, batches)`; the network must be as it was.
template <class Spoil>
auto prune_spoilt(Spoil spoil) {
  return [=](threads::communicator& ranks) {
    exact_scene s;
    auto mine = distributed::held_by(s.parts, ranks.rank(), ranks.size());
    spoil(ranks.rank(), s, mine);
    auto const before = conformance::detail::state_of(s.student);
    try {
      auto const result = prune<grasp>(s.student, shard(mine, ranks), s.guide(), distributed::half_gap{},
                                       prune_options<global_unstructured>{.budget = sparsity{0.7}, .rounds = 2});
      if (result.masks.size() != 2) fail("two layers have scores");
    } catch (...) {
      if (conformance::detail::state_of(s.student) != before) fail("a refusal left the network changed");
      throw;
    }
  };
}
auto unspoilt() {
  return prune_spoilt([](auto&&...) {});
}

/// Breaks a promise as MPI may: each rank adds in an order of its own.
class uneven : public threads::communicator {
 public:
  explicit uneven(threads::communicator const& ranks) : threads::communicator(ranks) {}

  template <class T>
  void sum(std::span<T> values) {
    threads::communicator::sum(values);
    if constexpr (std::is_floating_point_v<T>)
      for (auto& v : values) v = std::nextafter(v, static_cast<T>(rank()));
  }
};

}  // namespace

TEST_CASE("the gradient of two ranks' samples is that of both samples on one") {
  // w = (1, 2), x = (1, 0) on rank 0 and (0, 2) on rank 1, m = w·x, teacher 0: L = ½/2 Σ m² has g = (½, 4), |θ ⊙ g| = (½, 8).
  check_well(threads::run(2, [](threads::communicator& ranks) {
    using distributed::array;
    auto const of = [](shape const& extents, std::vector<double> const& values) {
      return make_tensor<array>(extents, values, {});
    };
    auto model = zoo::mlp<distributed::backend>(std::vector<std::size_t>{2, 1, 1});
    *model.parameters()[0].value = of({1, 2}, {1, 2});
    unlabelled_batch const mine{ranks.rank() == 0 ? of({1, 2}, {1, 0}) : of({1, 2}, {0, 2})};
    known_predictions const zero(prediction<array>{of({1, 1}, {0}), of({1, 1}, {0})});
    auto const found = score<snip>(model, shard(mine, ranks), zero, distributed::half_gap{});
    if (values_of(found.parameters.at(0).values) != std::vector<double>{0.5, 8}) fail("not (½, 8)");
  }));
}

TEST_CASE("ranks find what one process finds: bit for bit where sums are exact, to rounding elsewhere") {
  for (std::size_t const size : {1U, 2U, 3U, 4U}) {
    CAPTURE(size);
    check_well(threads::run(size, [](threads::communicator& ranks) { distributed::compare_with_one_process(ranks); }));
  }
}

TEST_CASE("ranks decide together whether the default draws: as one process does, by the first of all batches") {
  exact_scene s;
  auto const parts = distributed::cut(distributed::small_multiples({16, 6}, 3, 1), {8, 8}, 4);
  for (auto const agreeing : {0U, 1U}) {
    CAPTURE(agreeing);
    std::vector<prediction<distributed::array>>
        said;  // the student's own logits doubled in one batch, those of a teacher in the other
    for (std::size_t i = 0; i < 2; ++i) {
      auto predicted = (i == agreeing ? s.student : s.trained).predict(parts[i].input);
      if (i == agreeing) predicted.output *= 2;
      said.push_back(predicted);
    }
    auto const pruned = [&](auto const& batches, auto const& predictions) {
      auto student = s.student;
      return prune(student, batches, known_predictions(predictions), prune_options<global_unstructured>{.budget = sparsity{0.5}});
    };
    auto const floors = [&](auto const& batches, auto const& predictions) {
      auto student = s.student;
      std::vector<double> found;
      for (auto const& each : score(student, batches, known_predictions(predictions)).parameters)
        found.push_back(each.layer_floor);
      return found;
    };
    auto const expected = pruned(parts, said);
    auto const expected_floors = floors(parts, said);
    CHECK(std::ranges::any_of(expected_floors, [](double floor) { return floor > teacher_guided::layer_floor; }));
    CHECK(expected.report.drawn_within_layers == (agreeing == 1));
    check_well(threads::run(2, [&](threads::communicator& ranks) {
      auto const mine = distributed::held_by(parts, ranks.rank(), 2);
      auto const found = pruned(shard(mine, ranks), std::vector{said[ranks.rank()]});
      if (found.report.drawn_within_layers != expected.report.drawn_within_layers) fail("the ranks decide apart");
      if (found.masks != expected.masks) fail("the masks are others");
      if (floors(shard(mine, ranks), std::vector{said[ranks.rank()]}) != expected_floors) fail("the floors are others");
    }));
  }
}

TEST_CASE("alone scores as without a communicator") {
  exact_scene s;
  alone here;
  CHECK(distributed::difference(score<grasp>(s.student, shard(s.parts, here)), score<grasp>(s.student, s.parts)) == 0);
}

TEST_CASE("what one rank refuses every rank refuses, naming it, and no network is changed") {
  check_refused(
      threads::run(3, prune_spoilt([](std::size_t rank, exact_scene&, auto& mine) {
                     if (rank == 1) mine[0].input(0, 0) = std::numeric_limits<double>::quiet_NaN();
                   })),
      "rank 1: the evidence of hidden.0.weight is NaN or infinite in 9 of 54 weights: score finite weights and inputs, or in "
      "double");
  check_refused(threads::run(4, prune_spoilt([](std::size_t rank, exact_scene&, auto& mine) {
                               if (rank == 2) mine.clear();
                             })),
                "rank 2: there is nothing to score on: pass at least one batch");
  check_refused(
      threads::run(3, prune_spoilt([](std::size_t rank, exact_scene& s, auto&) {
                     if (rank == 2) s.student.parameters()[0].value->flat(3) += 1;
                   })),
      "rank 0 and 2 more of 3: ranks 0 and 2 hold different networks: give every rank the same parameters and buffers, such as "
      "by loading one file");
}

TEST_CASE("a rank that is killed or stopped at any exchange is reported by all others in time") {
  auto const healthy = threads::run(3, unspoilt());
  check_well(healthy);
  for (std::size_t at = 0; at < healthy[1].exchanges; ++at)
    for (auto const how : {threads::fault::killed, threads::fault::stopped}) {
      CAPTURE(at);
      auto const begin = std::chrono::steady_clock::now();
      auto const outcomes = threads::run(3, unspoilt(), threads::fault{1, at, how}, 100ms);
      CHECK(std::chrono::steady_clock::now() - begin < 20s);
      CHECK(outcomes[0].lost);
      CHECK(outcomes[1].gone);
      CHECK(outcomes[2].lost);
    }
}

TEST_CASE("the sample by pseudo-label is drawn from the images of all ranks") {
  std::vector<std::int64_t> const decisions{0, 1, 1, 2, 0, 1, 2, 2, 0, 1};
  auto const whole = sample_by_pseudo_label(decisions, 3, 2, 5);
  std::vector<std::size_t> drawn[3];
  check_well(threads::run(3, [&](threads::communicator& ranks) {
    auto const r = ranks.rank();
    std::size_t const bounds[] = {0, 1, 7, 10};  // uneven: rank 0 has one image
    auto const mine = std::span(decisions).subspan(bounds[r], bounds[r + 1] - bounds[r]);
    auto const sample = sample_by_pseudo_label(mine, 3, 2, 5, ranks);
    if (sample.found_per_class != whole.found_per_class) fail("classes are counted over all ranks");
    for (auto const i : sample.indices) drawn[r].push_back(bounds[r] + i);
  }));
  std::vector<std::size_t> all;
  for (auto const& each : drawn) all.insert(all.end(), each.begin(), each.end());
  auto expected = whole.indices;
  std::ranges::sort(all);
  std::ranges::sort(expected);
  CHECK(all == expected);
}

TEST_CASE("threads conform as a communicator, and one that breaks a promise is found out") {
  check_well(threads::run(3, [](threads::communicator& ranks) {
    for (auto const& [property, what] : conformance::examine_communicator(ranks)) fail(property, ": ", what);
  }));
  check_well(threads::run(2, [](threads::communicator& ranks) {
    uneven broken{ranks};
    auto const found = conformance::examine_communicator(broken);
    if (found.empty() || found[0].property != "sum") fail("different bits of one sum passed");
  }));
}
