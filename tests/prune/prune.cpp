/// The one door: counts, rounds, what becomes of unreached weights, several parts, threads, and bad input that changes nothing.
#include "../conformance/support.hpp"

#include <limits>
#include <map>
#include <string>
#include <tbb/global_control.h>
#include <type_traits>

#include <lnpt/backend/cpu/backend.hpp>
#include <lnpt/loss/distillation.hpp>
#include <lnpt/loss/pseudo_label.hpp>
#include <lnpt/mask/channel_structured.hpp>
#include <lnpt/mask/n_of_m.hpp>
#include <lnpt/nn/builder.hpp>
#include <lnpt/schedule/linear.hpp>
#include <lnpt/schedule/one_shot.hpp>
#include <lnpt/zoo/mlp.hpp>
#include <lnpt/zoo/resnet.hpp>

using namespace lnpt;
using backend = cpu::backend<double>;
using array = cpu::array<double>;
using conformance::detail::close;
using conformance::detail::state_of;

namespace {

network<backend> small_resnet(std::uint64_t seed) {
  return zoo::resnet<backend>({.depth = 8, .widths = {4, 6, 8}, .classes = 4}, seed);
}

/// A student, a teacher, and a batch whole and in three parts.
struct scene {
  network<backend> student = small_resnet(1), trained = small_resnet(2);
  labelled_batch<array> batch = random_batch<array>({11, 3, 8, 8}, 4, 3);
  std::vector<labelled_batch<array>> parts;
  std::vector<unlabelled_batch<array>> unlabelled_parts;

  scene() {
    for (auto const& [begin, end] : {std::pair<std::size_t, std::size_t>{0, 5}, {5, 6}, {6, 11}}) {
      std::vector<std::int64_t> const labels(batch.labels.begin() + static_cast<std::ptrdiff_t>(begin),
                                             batch.labels.begin() + static_cast<std::ptrdiff_t>(end));
      parts.push_back({rows(batch.input, begin, end), labels});
      unlabelled_parts.push_back({rows(batch.input, begin, end)});
    }
  }
  teacher<network<backend>> guide() { return teacher(trained); }
};

/// A schedule against its contract: it does not end at the density that was asked for.
struct half_throughout {
  density operator()(std::size_t, std::size_t, density) const { return density{0.5}; }
};

/// SNIP with an equal part for layers that nothing leads around.
struct evenly : snip {
  static constexpr double indispensable_share = 1;
};

/// A strategy that knows no floors, by one that does.
struct without_floors {
  using budget = sparsity;

  template <class T>
  mask_set operator()(std::span<scored_parameter<T> const> parameters, selection const& wanted) const {
    return global_unstructured{}(parameters, {.keep = wanted.keep});
  }
};

/// Counts the predictions that leave no trace, such as the one which decides on a draw.
struct counting_network : network<backend> {
  mutable int predictions = 0;
  std::size_t fixed_batch = 0;  ///< the only number of samples it takes; 0: any

  [[nodiscard]] auto predict(array const& x, normalization const& norm) const {
    if (fixed_batch != 0 && x.shape()[0] != fixed_batch) fail("this network takes batches of ", fixed_batch);
    ++predictions;
    return network<backend>::predict(x, norm);
  }
  [[nodiscard]] auto predict_without(std::size_t i, array const& x, normalization const& norm) const {
    ++predictions;
    return network<backend>::predict_without(i, x, norm);
  }
};

std::size_t kept(mask_set const& masks) {
  std::size_t n = 0;
  for (auto const& m : masks) n += m.count();
  return n;
}
std::size_t total(mask_set const& masks) {
  std::size_t n = 0;
  for (auto const& m : masks) n += m.size();
  return n;
}

bool within(mask_set const& inner, mask_set const& outer) {
  for (auto const& m : inner)
    for (std::size_t i = 0; i < m.size(); ++i)
      if (m[i] && !(*outer.find(m.name()))[i]) return false;
  return true;
}

void check_close(score_set<array> const& a, score_set<array> const& b) {
  REQUIRE(a.parameters.size() == b.parameters.size());
  for (std::size_t i = 0; i < a.parameters.size(); ++i) CHECK(close(a.parameters[i].values, b.parameters[i].values, 1e-10));
}

}  // namespace

TEST_CASE("a batch in parts scores as the batch in one, where samples are independent") {
  scene s;
  score_options const frozen{.batch_norm = norm_mode::frozen}, eval{.batch_norm = norm_mode::eval};
  for (auto const& options : {frozen, eval}) {
    check_close(score<snip>(s.student, s.parts, options), score<snip>(s.student, s.batch, options));
    check_close(score<grasp>(s.student, s.parts, options), score<grasp>(s.student, s.batch, options));
    check_close(score<obd<>>(s.student, s.parts, options), score<obd<>>(s.student, s.batch, options));
    check_close(score<obd<hessian_diagonal>>(s.student, s.parts, {.batch_norm = options.batch_norm}),
                score<obd<hessian_diagonal>>(s.student, s.batch, {.batch_norm = options.batch_norm}));
    unlabelled_batch const whole{s.batch.input};
    check_close(score<feature_map_synaptic<>>(s.student, s.unlabelled_parts, s.guide(), options),
                score<feature_map_synaptic<>>(s.student, whole, s.guide(), options));
    check_close(score<feature_map_synaptic<hessian_gradient>>(s.student, s.unlabelled_parts, s.guide(), options),
                score<feature_map_synaptic<hessian_gradient>>(s.student, whole, s.guide(), options));
  }
}

TEST_CASE("over parts grasp multiplies sums, (ΣH)(Σg), and that is not the sum of products") {
  scene s;
  score_options const options{.batch_norm = norm_mode::eval};
  auto const whole = score<grasp>(s.student, s.parts, options);
  array sum = 0.0 * whole.parameters[0].values;
  for (auto const& part : s.parts)
    sum =
        array(sum + static_cast<double>(sample_count(part)) / 11.0 * score<grasp>(s.student, part, options).parameters[0].values);
  CHECK_FALSE(close(sum, whole.parameters[0].values, 0.01));
}

TEST_CASE("predictions computed elsewhere guide as the teacher itself does") {
  scene s;
  std::vector<prediction<array>> predicted;
  for (std::size_t i = 0; i < s.unlabelled_parts.size(); ++i)
    predicted.push_back(s.guide().predict(s.unlabelled_parts[i].input, i));
  prune_options<global_unstructured> const options{.budget = sparsity{0.9}};
  CHECK(prune<feature_map_synaptic<>>(s.student, s.unlabelled_parts, known_predictions(predicted), options).masks ==
        prune<feature_map_synaptic<>>(s.student, s.unlabelled_parts, s.guide(), options).masks);
  predicted.pop_back();
  CHECK_THROWS_WITH_AS((void)prune<feature_map_synaptic<>>(s.student, s.unlabelled_parts, known_predictions(predicted), options),
                       "there are predictions for 2 scoring batches, but batch 2 was asked for: pass one per batch", lnpt::error);
}

TEST_CASE("a student that is its own teacher is refused: all that differs are the modes of batch norm") {
  scene s;
  auto copy = s.student;
  unlabelled_batch<array> const batch{s.batch.input};
  auto const said = doctest::Contains("student and teacher have the same weights");
  prune_options<global_unstructured> const half{.budget = sparsity{0.5}};
  auto const guided_by = [&]<class C>(C, auto const& guide) { return prune<C>(s.student, batch, guide, half); };
  CHECK_THROWS_WITH_AS((void)guided_by(feature_map_synaptic<>{}, teacher(s.student)), said, error);
  CHECK_THROWS_WITH_AS((void)guided_by(feature_map_synaptic<>{}, teacher(copy)), said, error);
  CHECK_THROWS_WITH_AS((void)guided_by(teacher_guided{}, teacher(copy)), said, error);
  std::vector<prediction<array>> const word{teacher(copy).predict(batch.input)};
  CHECK_THROWS_WITH_AS((void)guided_by(teacher_guided{}, known_predictions<array>(word, fingerprint_of(copy))), said, error);
  CHECK(kept(guided_by(teacher_guided{}, known_predictions<array>(word, fingerprint_of(s.trained))).masks) > 0);
  // In eval mode nothing differs at all, and a loss on the teacher's decisions has slopes there.
  auto const in_eval = [&] {
    return prune(s.student, batch, teacher(copy), {.budget = sparsity{0.5}, .batch_norm = norm_mode::eval});
  };
  CHECK_THROWS_WITH_AS((void)in_eval(), doctest::Contains("all scores are 0"), error);
  CHECK(kept(prune<snip>(s.student, batch, teacher(copy), pseudo_label{}, half).masks) > 0);
  // A student that lost some of the weights has another map to learn.
  auto const masks = prune<magnitude>(copy, half).masks;
  apply(masks, s.student);
  CHECK(kept(prune<feature_map_synaptic<>>(s.student, batch, teacher(copy), half).masks) > 0);
}

TEST_CASE("where no criterion is named the teacher's class probabilities say what stays, and no layer is emptied") {
  scene s;
  auto const [masks, report] = prune(s.student, s.unlabelled_parts, s.guide(), {.budget = sparsity{0.98}});
  CHECK(report.emptied.empty());
  CHECK(report.unreached.empty());
  CHECK(masks == prune<teacher_guided>(s.student, s.unlabelled_parts, s.guide(), {.budget = sparsity{0.98}}).masks);
  CHECK(masks != prune(s.student, s.unlabelled_parts, s.guide(), {.budget = sparsity{0.98}, .layer_floor = 1.0}).masks);
  check_close(score(s.student, s.unlabelled_parts, s.guide()),
              score<snip>(s.student, s.unlabelled_parts, s.guide(), distillation{}));
  CHECK_THROWS_AS((void)prune(s.student, s.unlabelled_parts, s.guide(), {.budget = sparsity{0.9999}}), lnpt::error);
}

TEST_CASE(
    "the default takes from the images how many weights of each layer stay, and draws which; a trained student's are ranked") {
  scene s;
  prune_options<global_unstructured> options{.budget = sparsity{0.9}, .layer_floor = teacher_guided::layer_floor};
  auto const by_default = [&](network<backend>& guide) {
    return prune(s.student, s.unlabelled_parts, teacher(guide), options).masks;
  };
  auto const by_score = [&](network<backend>& guide) {
    return prune<snip>(s.student, s.unlabelled_parts, teacher(guide), distillation{}, options).masks;
  };
  auto const drawn = by_default(s.trained), scored = by_score(s.trained);
  CHECK(drawn != scored);
  CHECK(prune(s.student, s.unlabelled_parts, s.guide(), options).report.drawn_within_layers);
  for (auto const& each : drawn) CHECK(each.count() == scored.find(each.name())->count());
  auto const noise = score<lnpt::random>(s.student, s.unlabelled_parts);
  for (auto const& p : noise.parameters) {
    auto const& mask = *drawn.find(p.name);
    double least_kept = 1, most_pruned = 0;
    for (std::size_t i = 0; auto const value : values_of(p.values))
      mask[i++] ? least_kept = std::min(least_kept, value) : most_pruned = std::max(most_pruned, value);
    CHECK(least_kept >= most_pruned);
  }
  options.seed = 1;
  CHECK(by_default(s.trained) != drawn);
  options.rounds = 2;
  CHECK(by_default(s.trained) == by_score(s.trained));
  // A teacher that is the student but for a bias, which moves no decision.
  options.rounds = 1;
  auto alike = s.student;
  for (auto& p : alike.parameters())
    if (p.name == "fc.bias") *p.value += 1e-3;
  CHECK(by_default(alike) == by_score(alike));
  CHECK_FALSE(prune(s.student, s.unlabelled_parts, teacher(alike), options).report.drawn_within_layers);
}

TEST_CASE(
    "what decides on a draw is asked where a draw would decide, and not for channels, in rounds, from masks, or for scores "
    "alone") {
  scene s;
  counting_network student{s.student};
  auto const predictions = [&](auto const& work) {
    student.predictions = 0;
    static_cast<void>(work());
    return student.predictions;
  };
  auto const pruning = [&](auto const& options) {
    return predictions([&] { return prune(student, s.unlabelled_parts, s.guide(), options); });
  };
  prune_options<global_unstructured> const once{.budget = sparsity{0.5}, .layer_floor = 0.1};
  CHECK(pruning(once) == 1);
  auto rounds = once, further = once;
  rounds.rounds = 2;
  further.start = prune<magnitude>(s.student, {.budget = sparsity{0.2}}).masks;
  CHECK(pruning(rounds) == 0);
  CHECK(pruning(further) == 0);
  auto const scoring = [&](bool draws) {
    return predictions([&] { return score(student, s.unlabelled_parts, s.guide(), {.draws = draws, .floors = false}); });
  };
  CHECK(scoring(true) == 1);
  CHECK(scoring(false) == 0);
  CHECK(predictions([&] {
          return prune<teacher_guided, channel_structured>(student, s.unlabelled_parts, s.guide(), {.budget = channels{0.5}});
        }) == 0);
}

TEST_CASE(
    "the default's floor is higher where no shortcut leads around a layer, which it finds without a change to the network") {
  scene s;
  counting_network student{s.student};
  auto const floors_by = [&](auto& network, auto const& batches) {
    std::map<std::string, double> found;
    auto const before = state_of(network);
    for (auto const& each : score(network, batches, s.guide()).parameters) found[each.name] = each.layer_floor;
    CHECK(state_of(network) == before);
    return found;
  };
  auto const floors = [&](auto& network) { return floors_by(network, s.unlabelled_parts); };
  auto const of_resnet = floors(student);
  std::vector<unlabelled_batch<array>> one_by_one;
  for (std::size_t b = 0; b < 3; ++b) one_by_one.push_back({rows(s.batch.input, b, b + 1)});
  CHECK(floors_by(student, one_by_one) == of_resnet);
  student.fixed_batch = 11;
  CHECK(floors_by(student, s.batch) == of_resnet);
  student.fixed_batch = 0;
  // One sample tells nothing.
  auto const of_one = floors_by(student, one_by_one.front());
  CHECK(std::ranges::all_of(of_one, [](auto const& each) { return each.second == teacher_guided::layer_floor; }));
  // An equal part, n / L of n weights, is φ N_p / N of them for φ = N / (L N_p).
  auto const equal = [](auto& network, std::string const& name) {
    double all = 0, own = 0, layers = 0;
    for (auto const& p : network.parameters()) {
      if (!is_prunable(p.role)) continue;
      all += static_cast<double>(p.value->size()), ++layers;
      if (p.name == name) own = static_cast<double>(p.value->size());
    }
    return all / (layers * own);
  };
  for (auto const& [name, floor] : of_resnet) {
    CAPTURE(name);
    auto const alone = name == "conv1.weight" || name == "fc.weight";
    CHECK(floor ==
          doctest::Approx(alone ? teacher_guided::indispensable_share * equal(student, name) : teacher_guided::layer_floor));
  }
  network_builder<backend> chained(3, 1);
  auto const first = chained.batch_norm("bn", chained.conv2d("conv1", chained.input(), 4), true);
  chained.classifier("fc", chained.flatten(chained.conv2d("conv2", first, 2)), 4, 2 * 64);
  auto chain = std::move(chained).build();
  for (auto const& [name, floor] : floors(chain))
    CHECK(floor == doctest::Approx(teacher_guided::indispensable_share * equal(chain, name)));
  prune_options<global_unstructured> const tenth{.budget = sparsity{0.9}};
  auto const masks_by = [&]<class C>(C) { return prune<C>(chain, s.unlabelled_parts, s.guide(), distillation{}, tenth).masks; };
  auto const equally = masks_by(evenly{});
  CHECK(equally != masks_by(snip{}));
  for (auto const& each : equally) CHECK(each.count() * 3 >= kept(equally) - 3);  // of three layers

  auto const asked = [&](auto const& options) {
    student.predictions = 0;
    static_cast<void>(prune(student, s.unlabelled_parts, s.guide(), options));
    return static_cast<std::size_t>(student.predictions);
  };
  prune_options<global_unstructured> const any{.budget = sparsity{0.5}};
  auto own = any;
  own.layer_floor = 0.1;
  CHECK(asked(any) == asked(own) + of_resnet.size() + 2);  // one for each layer, and two of the whole network
}

TEST_CASE(
    "agreement beyond chance: 3 of 4 equal decisions where half would be by chance are κ = ½; one class throughout is none") {
  std::vector<std::int64_t> const first{0, 0, 1, 1}, second{0, 0, 1, 0}, same{0, 0, 0, 0};
  CHECK(cohens_kappa(first, second) == doctest::Approx(0.5));
  CHECK(cohens_kappa(first, first) == doctest::Approx(1));
  CHECK(cohens_kappa(same, same) == 0);
  CHECK(cohens_kappa(same, first) == 0);
}

TEST_CASE(
    "a floor is asked of strategies that heed it: the default's is left out for others, one that was asked for is refused") {
  scene s;
  auto const of_channels =
      prune<teacher_guided, channel_structured>(s.student, s.unlabelled_parts, s.guide(), {.budget = channels{0.5}});
  CHECK(
      of_channels.masks ==
      prune<snip, channel_structured>(s.student, s.unlabelled_parts, s.guide(), distillation{}, {.budget = channels{0.5}}).masks);
  CHECK(prune<teacher_guided, without_floors>(s.student, s.unlabelled_parts, s.guide(), {.budget = sparsity{0.9}}).masks ==
        prune<snip, without_floors>(s.student, s.unlabelled_parts, s.guide(), distillation{}, {.budget = sparsity{0.9}}).masks);
  auto const asked = [&] {
    (void)prune<snip, channel_structured>(s.student, s.batch, {.budget = channels{0.5}, .layer_floor = 0.1});
  };
  CHECK_THROWS_WITH_AS(asked(), doctest::Contains("a layer_floor of 0.1 would change nothing"), lnpt::error);
}

TEST_CASE("masks to start from that keep nothing are refused as such") {
  scene s;
  auto const none = prune<magnitude>(s.student, {.budget = sparsity{1}}).masks;
  auto const from_none = [&] { (void)prune<magnitude>(s.student, {.budget = sparsity{0.5}, .start = none}); };
  CHECK_THROWS_WITH_AS(from_none(), doctest::Contains("the masks to start from keep no weight"), lnpt::error);
}

TEST_CASE("scores and masks of a network that holds its kept weights alone are those of the whole one under the same masks") {
  scene s;
  auto const masks = prune<magnitude>(s.student, {.budget = sparsity{0.9}}).masks;
  apply(masks, s.student);
  auto held = s.student;
  auto const keep_few = [&]() -> auto& { return held.keep_only(masks, execution::sparse), held; };
  auto const guide = s.guide();
  check_close(score<snip>(keep_few(), s.unlabelled_parts, guide, distillation{}),
              score<snip>(s.student, s.unlabelled_parts, guide, distillation{}));
  prune_options<global_unstructured> const further{.budget = sparsity{0.95}};
  CHECK(prune<snip>(keep_few(), s.unlabelled_parts, guide, distillation{}, further).masks ==
        prune<snip>(s.student, s.unlabelled_parts, guide, distillation{}, further).masks);
}

TEST_CASE("a schedule that ends elsewhere and a network without layers are refused") {
  scene s;
  auto const before = state_of(s.student);
  CHECK_THROWS_WITH_AS(
      (void)(prune<snip, global_unstructured, half_throughout>(s.student, s.batch, {.budget = sparsity{0.9}, .rounds = 3})),
      doctest::Contains("ends at a density of 0.5 where 0.1 was asked for"), error);
  CHECK(state_of(s.student) == before);
  auto const elsewhere = std::move(s.student);
  CHECK_THROWS_WITH_AS((void)(prune<snip>(s.student, s.batch, {.budget = sparsity{0.9}})), doctest::Contains("no layers"), error);
}

namespace {

/// Strategies against their contract.
enum class fault { keeps_all, keeps_none, returns_none, misshapen, ignores_survivors };
template <fault Fault, class Budget = sparsity>
struct faulty {
  using budget = Budget;

  template <class T>
  mask_set operator()(std::span<scored_parameter<T> const> parameters, selection const& wanted) const {
    mask_set masks;
    if (Fault == fault::ignores_survivors)  // the best of all, which in the second round are the worst of those that are left
      return global_unstructured{}(parameters, {.keep = wanted.keep, .end = wanted.survivors ? keep_end::lowest : wanted.end});
    if (Fault != fault::returns_none)
      for (auto const& p : parameters)
        masks.add({p.name, Fault == fault::misshapen ? shape{p.scores.size()} : p.extents, Fault != fault::keeps_none});
    return masks;
  }
};

}  // namespace

TEST_CASE("a strategy of one's own that does not do what its budget says is not believed") {
  scene s;
  auto const by = [&]<class Mask>(prune_options<Mask> const& options) { return prune<magnitude, Mask>(s.student, options); };
  auto const half = [&]<fault F>(std::integral_constant<fault, F>) {
    return by(prune_options<faulty<F>>{.budget = sparsity{0.5}});
  };
  auto const refused = [&](auto which, char const* sentence) {
    CHECK_THROWS_WITH_AS((void)half(which), doctest::Contains(sentence), error);
  };
  refused(std::integral_constant<fault, fault::keeps_all>{}, "weights where");
  refused(std::integral_constant<fault, fault::keeps_none>{}, "the mask strategy kept 0 of ");
  refused(std::integral_constant<fault, fault::returns_none>{}, "returned 0 masks and none of conv1.weight");
  refused(std::integral_constant<fault, fault::misshapen>{},
          "a mask of the shape [108] for conv1.weight, which has the shape [4, 3, 3, 3]");
  prune_options<faulty<fault::ignores_survivors>> const twice{.budget = sparsity{0.8}, .rounds = 2};
  CHECK_THROWS_WITH_AS((void)by(twice), doctest::Contains("weights where"), error);
  using nothing_of_channels = faulty<fault::keeps_none, channels>;
  CHECK_THROWS_WITH_AS((void)by(prune_options<nothing_of_channels>{.budget = channels{0.5}}),
                       doctest::Contains("the mask strategy kept none of "), error);
  // Where all is asked for, all may stay.
  auto const all = by(prune_options<faulty<fault::keeps_all>>{.budget = sparsity{0}});
  CHECK(kept(all.masks) == total(all.masks));
}

TEST_CASE("rounds keep exact counts, and what was pruned stays pruned") {
  scene s;
  mask_set before;
  for (int rounds = 1; rounds <= 6; ++rounds) {
    auto const masks =
        prune<grasp, global_unstructured, schedule::linear>(s.student, s.batch, {.budget = sparsity{0.9}, .rounds = rounds})
            .masks;
    CHECK(kept(masks) == kept_count(sparsity{0.9}, total(masks)));
  }
  // Linear rounds to half the way: the first three of six rounds are the three rounds to half the sparsity.
  auto const half =
      prune<grasp, global_unstructured, schedule::linear>(s.student, s.batch, {.budget = sparsity{0.45}, .rounds = 3}).masks;
  auto const full =
      prune<grasp, global_unstructured, schedule::linear>(s.student, s.batch, {.budget = sparsity{0.9}, .rounds = 6}).masks;
  CHECK(within(full, half));
  auto const by_layer = prune<snip, layerwise_unstructured>(s.student, s.batch, {.budget = sparsity{0.8}, .rounds = 3}).masks;
  for (auto const& m : by_layer) CHECK(m.count() == kept_count(sparsity{0.8}, m.size()));
}

TEST_CASE(
    "rounds that multiply by what survived alone end in the masks of rounds that multiply by all, and restore the network") {
  scene s;
  auto const before = state_of(s.student);
  auto const same = [&](auto const& run) {
    CHECK(run(execution::sparse) == run(execution::dense));
    CHECK(state_of(s.student) == before);
  };
  same([&](execution how) {
    return prune<snip>(s.student, s.parts, {.budget = sparsity{0.95}, .rounds = 5, .execution = how}).masks;
  });
  same([&](execution how) {
    return prune<grasp>(s.student, s.batch, {.budget = sparsity{0.9}, .rounds = 4, .execution = how}).masks;
  });
  unlabelled_batch const batch{s.batch.input};
  same([&](execution how) {
    return prune<feature_map_synaptic<>>(s.student, batch, s.guide(), {.budget = sparsity{0.9}, .rounds = 4, .execution = how})
        .masks;
  });
  auto const half = prune<snip>(s.student, s.batch, {.budget = sparsity{0.5}}).masks;
  same([&](execution how) {
    return prune<snip>(s.student, s.batch, {.budget = sparsity{0.9}, .start = half, .execution = how}).masks;
  });
}

TEST_CASE("weights that the loss does not reach are kept, kept in the budget, or pruned by magnitude") {
  scene s;
  unlabelled_batch const batch{s.batch.input};
  auto const run = [&](unreached what) {
    return prune<feature_map_synaptic<>>(s.student, batch, s.guide(), {.budget = sparsity{0.75}, .unreached = what});
  };
  auto const classifier = std::size_t{4 * 8};
  std::size_t all = 0;
  for (auto const& p : s.student.parameters())
    if (is_prunable(p.role)) all += p.value->size();
  auto const scored = all - classifier;

  auto const [kept_masks, kept_report] = run(unreached::keep);
  CHECK(kept_report.unreached == std::vector<std::string>{"fc.weight"});
  CHECK(kept_masks.find("fc.weight") == nullptr);
  CHECK(kept(kept_masks) == kept_count(sparsity{0.75}, scored));

  auto const [in_budget, budget_report] = run(unreached::keep_in_budget);
  CHECK(in_budget.find("fc.weight") == nullptr);
  CHECK(kept(in_budget) == kept_count(sparsity{0.75}, all) - classifier);
  CHECK(budget_report.sparsity_prunable == doctest::Approx(0.75).epsilon(1e-3));

  auto const [by_size, size_report] = run(unreached::magnitude);
  auto const* const fc = by_size.find("fc.weight");
  REQUIRE(fc != nullptr);
  CHECK(fc->count() == kept_count(sparsity{0.75}, classifier));
  auto const weights = values_of(*(s.student.parameters().end() - 2)->value);
  double largest_gone = 0, smallest_kept = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < weights.size(); ++i)
    (*fc)[i] ? smallest_kept = std::min(smallest_kept, std::abs(weights[i]))
             : largest_gone = std::max(largest_gone, std::abs(weights[i]));
  CHECK(largest_gone <= smallest_kept);
}

TEST_CASE("the lowest and the highest half are each other's complement") {
  scene s;
  auto const high = prune<snip>(s.student, s.batch, {.budget = sparsity{0.5}}).masks;
  auto const low = prune<snip>(s.student, s.batch, {.budget = sparsity{0.5}, .keep_end = keep_end::lowest}).masks;
  std::size_t both = 0;
  for (auto const& m : high)
    for (std::size_t i = 0; i < m.size(); ++i) both += m[i] && (*low.find(m.name()))[i];
  CHECK(both == 0);
  CHECK(kept(high) + kept(low) == total(high));
}

TEST_CASE("a strategy with a ratio of its own takes no budget, and names what it leaves dense") {
  scene s;
  auto const [masks, report] = prune<magnitude, n_of_m<2, 4>>(s.student, {});
  CHECK(report.dense == std::vector<std::string>{"conv1.weight", "layer2.0.conv2.weight", "layer3.0.conv1.weight",
                                                 "layer3.0.downsample.0.weight"});
  CHECK(masks.find("layer1.0.conv1.weight")->count() == 4 * 36 / 2);
  std::size_t halved = 0;
  for (auto const& m : masks) halved += m.count() == m.size() ? 0 : m.size();
  CHECK(report.sparsity_prunable == doctest::Approx(0.5 * static_cast<double>(halved) / static_cast<double>(total(masks))));
}

TEST_CASE("half of the channels leaves half of the filters, and every class") {
  scene s;
  auto const [masks, report] = prune<snip, channel_structured>(s.student, s.batch, {.budget = channels{0.5}});
  std::size_t alive = 0, filters = 0;
  for (auto const& m : masks) {
    if (m.name() == "fc.weight") {
      CHECK(m.count() == m.size());
      continue;
    }
    auto const row = m.size() / m.extents()[0];
    for (std::size_t c = 0; c < m.extents()[0]; ++c, ++filters) {
      std::size_t in_filter = 0;
      for (std::size_t i = 0; i < row; ++i) in_filter += m[c * row + i];
      CHECK((in_filter == 0 || in_filter == row));
      alive += in_filter == row;
    }
  }
  CHECK(alive == (filters + 1) / 2);
  CHECK(report.emptied.empty());
}

TEST_CASE("masks have the same bits on one, two and four threads") {
  scene s;
  auto student = zoo::resnet<cpu::backend<float>>({.depth = 20, .widths = {8, 16, 32}}, 1);
  auto trained = zoo::resnet<cpu::backend<float>>({.depth = 20, .widths = {8, 16, 32}}, 2);
  auto const batch = random_batch<cpu::array<float>>({13, 3, 32, 32}, 10, 6);
  auto const masks_on = [&](std::size_t threads) {
    tbb::global_control const limit(tbb::global_control::max_allowed_parallelism, threads);
    prune_options<global_unstructured> const options{.budget = sparsity{0.95}, .rounds = 2};
    return std::vector{prune<feature_map_synaptic<>>(student, batch, teacher(trained), options).masks,
                       prune<snip>(student, batch, options).masks, prune<grasp>(student, batch, options).masks,
                       prune<synflow>(student, shape{3, 32, 32}, options).masks};
  };
  auto const one = masks_on(1);
  CHECK(one == masks_on(2));
  CHECK(one == masks_on(4));
}

TEST_CASE("bad input meets one sentence and leaves the model as it was") {
  scene s;
  auto const before = state_of(s.student);
  auto const refused = [&](char const* sentence, auto const& call) {
    CHECK_THROWS_WITH_AS(call(), sentence, lnpt::error);
    CHECK(state_of(s.student) == before);
  };
  prune_options<global_unstructured> const options{.budget = sparsity{0.9}};
  labelled_batch<array> const empty{cpu::filled<double>({0, 3, 8, 8}, 0), {}};
  refused("scoring batch 0 is empty: pass at least one sample", [&] { return prune<snip>(s.student, empty, options); });
  refused("scoring batch 1 is empty: pass at least one sample",
          [&] { return prune<snip>(s.student, std::vector{s.batch, empty}, options); });
  refused("there is nothing to score on: pass at least one batch",
          [&] { return prune<snip>(s.student, std::vector<labelled_batch<array>>{}, options); });

  auto wrong = s.batch;
  wrong.labels[3] = 4;
  refused("label 4 of sample 3 is out of range: the model has 4 classes, so labels go from 0 to 3",
          [&] { return prune<snip>(s.student, wrong, options); });

  auto wide = zoo::resnet<backend>({.depth = 8, .widths = {4, 6, 10}, .classes = 4});
  refused(
      "the student's features are [11, 8] but the teacher's are [11, 10]: both must have the same number of samples and the same "
      "width, or leave out the loss that compares them, as a weight of 0 does",
      [&] { return prune<feature_map_synaptic<>>(s.student, unlabelled_batch{s.batch.input}, teacher(wide), options); });
  refused("sparsity{1.5} is outside [0, 1]: pass a fraction such as sparsity{0.5}",
          [&] { return prune<snip>(s.student, s.batch, {.budget = sparsity{1.5}}); });
  refused("rounds is -1: pass at least 1, or 0 for the criterion's own number",
          [&] { return prune<snip>(s.student, s.batch, {.budget = sparsity{0.9}, .rounds = -1}); });
  refused(
      "gauss_newton squares per sample, but batch norm in train mode couples the samples of a batch: score with batch norm "
      "frozen, or use gauss_newton_exact",
      [&] { return prune<obd<>>(s.student, s.batch, {.budget = sparsity{0.9}, .batch_norm = norm_mode::train}); });
  refused(
      "batch norm layer3.0.bn1 would take its statistics from one value per channel, of which nothing but rounding passes: pass "
      "more samples or larger images, or score with batch norm in eval mode",
      [&] { return prune<snip>(s.student, labelled_batch<array>{cpu::filled<double>({1, 3, 4, 4}, 1), {0}}, options); });
  refused(
      "batch norm layer3.0.bn1 would take its statistics from one value per channel, of which nothing but rounding passes: pass "
      "more samples or larger images, or score with batch norm in eval mode",
      [&] {
        return prune<obd<>>(s.student, std::vector{labelled_batch<array>{cpu::filled<double>({1, 3, 4, 4}, 1), {0}}}, options);
      });
  refused("synflow needs the shape of one input: pass {channels, height, width}, or {features}",
          [&] { return prune<synflow>(s.student, {.budget = sparsity{0.9}}); });
}

TEST_CASE("a NaN weight is named with its count, and nothing is masked") {
  scene s;
  s.student.parameters().front().value->data()[7] = std::numeric_limits<double>::quiet_NaN();
  auto const& weights = *s.student.parameters().front().value;
  CHECK_THROWS_WITH_AS((void)prune<magnitude>(s.student, {.budget = sparsity{0.9}}),
                       "scores are NaN or infinite (1 of 108 in conv1.weight), so nothing was masked: score finite weights and "
                       "inputs, or in double",
                       lnpt::error);
  CHECK(std::isnan(weights.data()[7]));
  auto input = s.batch;
  input.input.data()[0] = std::numeric_limits<double>::infinity();
  CHECK_THROWS_AS((void)prune<snip>(s.trained, input, {.budget = sparsity{0.9}}), lnpt::error);
}
