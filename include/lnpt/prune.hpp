#pragma once
/// prune(): the one door. Scores, budget and schedule in; masks and a report out.
#include <algorithm>
#include <tuple>
#include <type_traits>

#include <lnpt/criterion/teacher_guided.hpp>
#include <lnpt/diagnosis.hpp>
#include <lnpt/mask/global_unstructured.hpp>
#include <lnpt/prune/options.hpp>
#include <lnpt/prune/rounds.hpp>
#include <lnpt/schedule/exponential.hpp>
#include <lnpt/score.hpp>

namespace lnpt {

namespace detail {

/// The options as they suit the criterion. Evidence of the model alone is of one sample at most, for which lists of kept weights are not
/// worth making: they are as much work as its passes.
template <class C, class Mask>
[[nodiscard]] prune_options<Mask> as_suits(prune_options<Mask> options) {
  if (!needs_of<C>().data) options.execution = execution::dense;
  return options;
}

template <class C, class Mask, class Schedule, class Model, class Batches, class Guide, class Loss>
[[nodiscard]] prune_result prune_as_asked(Model& model, Batches const& batches, Guide const& guide, Loss const& loss,
                                          prune_options<Mask> const& options) {
  using asked = diagnosis<C, Model, Batches, Guide, Loss>;
  using strategy = strategy_diagnosis<Mask, Schedule>;
  if constexpr (!strategy::well_formed) {
    strategy::explain();
    return {};
  } else if constexpr (!asked::well_formed) {
    asked::explain();
    return {};
  } else if constexpr (!ranking_diagnosis<C, Mask>::well_formed) {
    ranking_diagnosis<C, Mask>::explain();
    return {};
  } else if constexpr (is_shard<Batches>) {
    return batches.together(model, [&](auto const& agreed) {
      auto result = prune_as_asked<C, Mask, Schedule>(model, agreed, guide, loss, options);
      agreed.unify(result.masks);
      return result;
    });
  } else {
    if (options.rounds < 0) fail("rounds is ", options.rounds, ": pass at least 1, or 0 for the criterion's own number");
    auto const rounds = options.rounds > 0 ? options.rounds : default_rounds<C>();
    // Rounds restore the model in the end, so where a criterion ignores the signs of weights they are taken off once, before the first.
    auto const signs = ignores_signs<C>() && rounds > 1 ? weight_signs::nonnegative : weight_signs::any;
    return prune_in_rounds<Schedule>(
        model, as_suits<C>(options), rounds,
        [&](Model& m) { return score_well_formed<C>(m, batches, guide, loss, options.scoring(rounds), signs); },
        [](Model& m) {
          if constexpr (ignores_signs<C>()) forget_signs(m);
        });
  }
}

}  // namespace detail

/// Masks for a model from a batch or a range of batches, a guide, and a loss of one's choice.
///
///     auto [masks, report] = prune(student, unlabelled, teacher{t}, {.budget = sparsity{0.95}});
///     auto [masks, report] = prune<feature_map_synaptic<>>(student, unlabelled, teacher{t}, {.budget = sparsity{0.95}});
///
/// `C` is the criterion, `teacher_guided` where none is named, `Mask` the strategy, `Schedule` how density falls over `rounds`. Rounds
/// rescore the masked model and rank only what survived. The model is left as it was on every path. Throws `lnpt::error` on an empty batch,
/// a label out of range, features of different width, and on scores that rank nothing: non-finite (naming the parameter and the count),
/// all 0, rounding noise, or none.
template <class C = teacher_guided, class Mask = global_unstructured, class Schedule = schedule::exponential, class Model,
          class Batches, class Guide, class Loss>
[[nodiscard]] prune_result prune(Model& model, Batches const& batches, Guide const& guide, Loss const& loss,
                                 prune_options<Mask> const& options) {
  return detail::prune_as_asked<C, Mask, Schedule>(model, batches, guide, loss, options);
}

/// As above with the criterion's own loss, or with a loss and no guide.
template <class C = teacher_guided, class Mask = global_unstructured, class Schedule = schedule::exponential, class Model,
          class Batches, class GuideOrLoss>
[[nodiscard]] prune_result prune(Model& model, Batches const& batches, GuideOrLoss const& guide_or_loss,
                                 prune_options<Mask> const& options) {
  if constexpr (loss_like<GuideOrLoss>)
    return detail::prune_as_asked<C, Mask, Schedule>(model, batches, no_guide{}, guide_or_loss, options);
  else
    return detail::prune_as_asked<C, Mask, Schedule>(model, batches, guide_or_loss, detail::default_loss<C>(), options);
}

/// As above without a guide.
template <class C = teacher_guided, class Mask = global_unstructured, class Schedule = schedule::exponential, class Model,
          class Batches>
[[nodiscard]] prune_result prune(Model& model, Batches const& batches, prune_options<Mask> const& options) {
  return detail::prune_as_asked<C, Mask, Schedule>(model, batches, no_guide{}, detail::default_loss<C>(), options);
}

/// Without any data: for synflow, given the shape of one input, {channels, height, width} or {features}.
template <class C = teacher_guided, class Mask = global_unstructured, class Schedule = schedule::exponential, class Model>
[[nodiscard]] prune_result prune(Model& model, shape const& input, prune_options<Mask> const& options) {
  return detail::prune_as_asked<C, Mask, Schedule>(model, input, no_guide{}, detail::default_loss<C>(), options);
}

/// Without any data or input: for magnitude and random.
template <class C = teacher_guided, class Mask = global_unstructured, class Schedule = schedule::exponential, class Model>
[[nodiscard]] prune_result prune(Model& model, prune_options<Mask> const& options) {
  return detail::prune_as_asked<C, Mask, Schedule>(model, shape{}, no_guide{}, detail::default_loss<C>(), options);
}

/// Without options: refused, since nobody can say how much to prune.
template <class C = teacher_guided, class Mask = global_unstructured, class Schedule = schedule::exponential, class Model,
          class... Rest>
  requires(!(detail::is_prune_options<Rest> || ...))
[[nodiscard]] prune_result prune(Model&, Rest const&... rest) {
  detail::refuse_missing_options<std::tuple<Model, Rest...>>();
  static_cast<void>(std::tie(rest...));
  return {};
}

/// Masks from scores of one's own: `rescore(model)` gives a `score_set`, once for every round, of the model as earlier rounds left it. Floors
/// of layers that the scores bring are kept, as those of `score()` by the default criterion; `options.layer_floor` of 0 takes them away.
template <class Mask = global_unstructured, class Schedule = schedule::exponential, prunable Model, class Rescore>
[[nodiscard]] prune_result prune_by(Model& model, Rescore const& rescore, prune_options<Mask> const& options) {
  using strategy = detail::strategy_diagnosis<Mask, Schedule>;
  if constexpr (strategy::well_formed) {
    if (options.rounds < 0) fail("rounds is ", options.rounds, ": pass at least 1, or 0 for one round");
    return detail::prune_in_rounds<Schedule>(model, options, std::max(options.rounds, 1), rescore, [](Model&) {});
  } else {
    strategy::explain();
    return {};
  }
}

}  // namespace lnpt
