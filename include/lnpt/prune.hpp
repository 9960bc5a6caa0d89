#pragma once
/// prune(): the one door. Scores, budget and schedule in; masks and a report out.
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <lnpt/core/guard.hpp>
#include <lnpt/criterion/magnitude.hpp>
#include <lnpt/mask/apply.hpp>
#include <lnpt/mask/budget_of.hpp>
#include <lnpt/mask/global_unstructured.hpp>
#include <lnpt/mask/layerwise_unstructured.hpp>
#include <lnpt/mask/report.hpp>
#include <lnpt/schedule/exponential.hpp>
#include <lnpt/score.hpp>

namespace lnpt {

/// What becomes of prunable weights the loss does not reach; they have no score.
enum class unreached {
  keep,            ///< kept, and left out of the ratio
  keep_in_budget,  ///< kept, and counted as kept within the ratio
  magnitude,       ///< pruned by |θ| in each parameter, at the same ratio
};

/// How to prune with a mask strategy. Its budget is `sparsity` (or `density`) of weights, `channels`, or none where it is fixed.
template <class Mask>
struct prune_options {
  budget_of<Mask> budget;
  Mask strategy = {};  ///< such as channel_structured{.normalize = true}
  int rounds = 0;      ///< rescorings on the schedule; 0: the criterion's own, mostly 1
  lnpt::unreached unreached = lnpt::unreached::keep;
  lnpt::keep_end keep_end = keep_end::highest;         ///< which end of the ranking stays
  std::size_t at_least = 0;                            ///< weights every parameter keeps, whatever its scores
  std::optional<norm_mode> batch_norm = std::nullopt;  ///< default: the criterion's own
  std::uint64_t seed = 0;
  int probes = 0;  ///< of gauss_newton; 0: what the policy says
  std::size_t sample_group = 5;
  std::function<void(int round, int rounds)> progress = nullptr;  ///< called before every round

  [[nodiscard]] score_options scoring() const { return {batch_norm, seed, probes, sample_group}; }
};

/// What prune() returns: `auto [masks, report] = prune<…>(…)`. The model itself is unchanged; `apply(masks, model)` prunes it.
struct prune_result {
  mask_set masks;
  prune_report report;
};

namespace detail {

/// Score sets as the spans that mask strategies rank; copies to the host where scores are elsewhere.
template <class T>
class ranked_view {
 public:
  explicit ranked_view(std::vector<scored<T>> const& scores) {
    for (auto const& s : scores) {
      std::span<value_type<T> const> values;
      if constexpr (host_tensor<T>)
        values = tensor_traits<T>::view(s.values);
      else
        values = copies_.emplace_back(values_of(s.values));
      parameters_.push_back({s.name, shape_of(s.values), values, s.role, s.output_axis});
    }
  }
  [[nodiscard]] std::span<scored_parameter<value_type<T>> const> parameters() const { return parameters_; }

 private:
  std::vector<std::vector<value_type<T>>> copies_;
  std::vector<scored_parameter<value_type<T>>> parameters_;
};

template <prunable Model>
[[nodiscard]] std::size_t unscored_weights(Model& model, std::vector<std::string> const& names) {
  std::size_t count = 0;
  for (auto const& p : model.parameters())
    if (std::find(names.begin(), names.end(), p.name) != names.end()) count += size_of(*p.value);
  return count;
}

/// Masks of the parameters the loss does not reach, by magnitude, each at the given density.
template <prunable Model>
[[nodiscard]] mask_set magnitude_masks(Model& model, std::vector<std::string> const& names, density keep) {
  std::vector<scored<tensor_of<Model>>> scores;
  for (auto const& p : model.parameters())
    if (std::find(names.begin(), names.end(), p.name) != names.end())
      scores.push_back({p.name, tensor_of<Model>(magnitude{}(*p.value)), p.role, p.output_axis});
  ranked_view<tensor_of<Model>> const view(scores);
  return layerwise_unstructured{}(view.parameters(), selection{.keep = keep});
}

template <prunable Model>
[[nodiscard]] std::vector<layer_report> layers_of(Model& model, std::vector<std::string> const& without_score) {
  std::vector<layer_report> layers;
  for (auto const& p : model.parameters()) {
    if (!is_prunable(p.role)) continue;
    auto const reached = std::find(without_score.begin(), without_score.end(), p.name) == without_score.end();
    layers.push_back({.name = p.name, .total = size_of(*p.value), .kept = 0, .reached = reached});
  }
  return layers;
}

/// Tensor types that rank scores where they are, by a `keep_largest` of their own over `scored<T>`.
template <class T>
concept ranks_in_place = requires(std::span<scored<T> const> scores, mask_set const* survivors) {
  { keep_largest(scores, std::size_t{}, keep_end::highest, survivors) } -> std::same_as<mask_set>;
};

/// The masks a strategy chooses. A global ranking of scores on a device stays there; all else looks at them from the host.
template <class Mask, class T>
[[nodiscard]] mask_set choose(Mask const& strategy, std::vector<scored<T>> const& scores, selection const& wanted) {
  if constexpr (std::same_as<Mask, global_unstructured> && ranks_in_place<T>) {
    if (wanted.at_least == 0) {
      std::size_t total = 0;
      for (auto const& each : scores) total += size_of(each.values);
      auto const n = kept_count(wanted.keep, total, wanted.already_kept);
      return keep_largest(std::span<scored<T> const>(scores), n, wanted.end, wanted.survivors);
    }
  }
  return strategy(ranked_view<T>(scores).parameters(), wanted);
}

/// One round: rank the scores among the survivors.
template <class Mask, class Model, class T>
[[nodiscard]] mask_set select(Model& model, score_set<T> const& scores, prune_options<Mask> const& options, density keep,
                              mask_set const* survivors) {
  selection wanted{.keep = keep, .survivors = survivors, .end = options.keep_end, .at_least = options.at_least};
  if (options.unreached == unreached::keep_in_budget) wanted.already_kept = unscored_weights(model, scores.unreached);
  auto masks = choose(options.strategy, scores.parameters, wanted);
  if (options.unreached == unreached::magnitude)
    for (auto const& m : magnitude_masks(model, scores.unreached, keep)) masks.add(m);
  return masks;
}

/// The parameters a strategy says it cannot prune.
template <class Mask, class T>
[[nodiscard]] std::vector<std::string> left_dense(Mask const& strategy, score_set<T> const& scores) {
  if constexpr (requires(ranked_view<T> const& view) { strategy.dense_parameters(view.parameters()); })
    return strategy.dense_parameters(ranked_view<T>(scores.parameters).parameters());
  else
    return {};
}

/// Scores, ranks, and scores what is left again, as often as asked; `rescore(model)` gives a score set. Where several rounds change
/// the model for a while, `prepare(model)` may do so before the first.
template <class Schedule, class Mask, class Model, class Rescore, class Prepare>
[[nodiscard]] prune_result prune_in_rounds(Model& model, prune_options<Mask> const& options, int rounds, Rescore const& rescore,
                                           Prepare const& prepare) {
  stopwatch const watch;
  mask_set masks;
  std::vector<std::string> without_score, dense;
  {
    std::optional<restoring_guard<Model>> guard;
    if (rounds > 1) {
      guard.emplace(model);
      prepare(model);
    }
    for (int t = 1; t <= rounds; ++t) {
      if (options.progress) options.progress(t, rounds);
      auto const scores = rescore(model);
      without_score = scores.unreached;
      auto const keep =
          Schedule{}(static_cast<std::size_t>(t), static_cast<std::size_t>(rounds), density_of(options.budget.value()));
      masks = select(model, scores, options, keep, t > 1 ? &masks : nullptr);
      dense = left_dense(options.strategy, scores);
      if (t < rounds) apply(masks, model);
    }
  }
  auto report = make_report(masks, layers_of(model, without_score));
  report.dense = std::move(dense);
  report.seconds = watch.seconds();
  return {std::move(masks), std::move(report)};
}

template <class C>
[[nodiscard]] constexpr int default_rounds() {
  if constexpr (requires { C::default_rounds; })
    return C::default_rounds;
  else
    return 1;
}

template <class C, class Mask, class Schedule, class Model, class Batches, class Guide, class Loss>
[[nodiscard]] prune_result prune_as_asked(Model& model, Batches const& batches, Guide const& guide, Loss const& loss,
                                          prune_options<Mask> const& options) {
  using asked = diagnosis<C, Model, Batches, Guide, Loss>;
  constexpr auto data_free = [] {
    if constexpr (criterion<C> && prunable<Model>) return is_data_free<C>;
    return false;
  }();
  if constexpr (!mask_strategy<Mask>) {
    static_assert(mask_strategy<Mask>,
                  "lnpt: this is not a mask strategy. Choose global_unstructured, layerwise_unstructured, channel_structured or "
                  "n_of_m<2, 4>, or write a struct with `using budget = …` and a call operator on scored parameters.");
    return {};
  } else if constexpr (data_free || asked::well_formed) {
    if (options.rounds < 0) fail("rounds is ", options.rounds, ": pass at least 1, or 0 for the criterion's own number");
    auto const rounds = options.rounds > 0 ? options.rounds : default_rounds<C>();
    auto signs = weight_signs::any;
    return prune_in_rounds<Schedule>(
        model, options, rounds, [&](Model& m) { return score_as_asked<C>(m, batches, guide, loss, options.scoring(), signs); },
        [&](Model& m) {
          if constexpr (uses<C, flow> && is_data_free<C>) {
            forget_signs(m);
            signs = weight_signs::nonnegative;
          }
        });
  } else {
    asked::explain();
    return {};
  }
}

}  // namespace detail

/// Masks for a model from a batch or a range of batches, a guide, and a loss of one's choice.
///
///     auto [masks, report] = prune<feature_map_synaptic<>>(student, unlabelled, teacher{t}, {.budget = sparsity{0.95}});
///
/// `C` is the criterion, `Mask` the strategy, `Schedule` how density falls over `rounds`. Rounds rescore the masked model and rank only
/// what survived. The model is left as it was on every path. Throws `lnpt::error` on an empty batch, a label out of range, features of
/// different width, a non-finite score (naming the parameter and the count).
template <class C, class Mask = global_unstructured, class Schedule = schedule::exponential, class Model, class Batches,
          class Guide, class Loss>
[[nodiscard]] prune_result prune(Model& model, Batches const& batches, Guide const& guide, Loss const& loss,
                                 prune_options<Mask> const& options) {
  return detail::prune_as_asked<C, Mask, Schedule>(model, batches, guide, loss, options);
}

/// As above with the criterion's own loss, or with a loss and no guide.
template <class C, class Mask = global_unstructured, class Schedule = schedule::exponential, class Model, class Batches,
          class GuideOrLoss>
[[nodiscard]] prune_result prune(Model& model, Batches const& batches, GuideOrLoss const& guide_or_loss,
                                 prune_options<Mask> const& options) {
  if constexpr (loss_like<GuideOrLoss>)
    return detail::prune_as_asked<C, Mask, Schedule>(model, batches, no_guide{}, guide_or_loss, options);
  else
    return detail::prune_as_asked<C, Mask, Schedule>(model, batches, guide_or_loss, detail::default_loss<C>(), options);
}

/// As above without a guide.
template <class C, class Mask = global_unstructured, class Schedule = schedule::exponential, class Model, class Batches>
[[nodiscard]] prune_result prune(Model& model, Batches const& batches, prune_options<Mask> const& options) {
  return detail::prune_as_asked<C, Mask, Schedule>(model, batches, no_guide{}, detail::default_loss<C>(), options);
}

/// Without any data: for synflow, given the shape of one input, {channels, height, width} or {features}.
template <class C, class Mask = global_unstructured, class Schedule = schedule::exponential, class Model>
[[nodiscard]] prune_result prune(Model& model, shape const& input, prune_options<Mask> const& options) {
  return detail::prune_as_asked<C, Mask, Schedule>(model, input, no_guide{}, detail::default_loss<C>(), options);
}

/// Without any data or input: for magnitude and random.
template <class C, class Mask = global_unstructured, class Schedule = schedule::exponential, class Model>
[[nodiscard]] prune_result prune(Model& model, prune_options<Mask> const& options) {
  return detail::prune_as_asked<C, Mask, Schedule>(model, shape{}, no_guide{}, detail::default_loss<C>(), options);
}

/// Masks from scores of one's own: `rescore(model)` gives a `score_set`, once for every round, of the model as earlier rounds left it.
template <class Mask = global_unstructured, class Schedule = schedule::exponential, prunable Model, class Rescore>
[[nodiscard]] prune_result prune_by(Model& model, Rescore const& rescore, prune_options<Mask> const& options) {
  if (options.rounds < 0) fail("rounds is ", options.rounds, ": pass at least 1, or 0 for one round");
  return detail::prune_in_rounds<Schedule>(model, options, std::max(options.rounds, 1), rescore, [](Model&) {});
}

}  // namespace lnpt
