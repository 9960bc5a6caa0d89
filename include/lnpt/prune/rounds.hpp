#pragma once
/// Rounds of scoring and ranking: what prune() does once it is through the door.
#include <algorithm>
#include <concepts>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <lnpt/core/execution.hpp>
#include <lnpt/core/guard.hpp>
#include <lnpt/criterion/magnitude.hpp>
#include <lnpt/mask/apply.hpp>
#include <lnpt/mask/layerwise_unstructured.hpp>
#include <lnpt/mask/promise.hpp>
#include <lnpt/mask/strategy.hpp>
#include <lnpt/mask/tensor_scores.hpp>
#include <lnpt/prune/options.hpp>
#include <lnpt/prune/start.hpp>
#include <lnpt/score.hpp>

namespace lnpt::detail {

/// Scores as mask strategies see them; a view.
template <class T>
[[nodiscard]] std::vector<scored_parameter<value_type<T>>> parameters_of(std::vector<scored<T>> const& scores) {
  std::vector<scored_parameter<value_type<T>>> parameters;
  for (auto const& s : scores)
    parameters.push_back({s.name, shape_of(s.values), scores_of(s.values), s.role, s.output_axis, s.output_groups, s.of_filters,
                          s.within ? scores_of(*s.within) : score_values<value_type<T>>{}, s.layer_floor});
  return parameters;
}

[[nodiscard]] inline bool is_among(std::vector<std::string> const& names, std::string const& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// The weights of these parameters, and how many of them survived so far.
template <prunable Model>
[[nodiscard]] kept_anyway unscored_weights(Model& model, std::vector<std::string> const& names, mask_set const& survivors) {
  kept_anyway found;
  for (auto const& p : model.parameters()) {
    if (!is_among(names, p.name)) continue;
    auto const* const mask = survivors.find(p.name);
    found.total += size_of(*p.value);
    found.kept += mask == nullptr ? size_of(*p.value) : mask->count();
  }
  return found;
}

/// Masks of the parameters the loss does not reach, by magnitude, each at the density of the selection and among its survivors,
/// and of so many weights at least.
template <prunable Model>
[[nodiscard]] mask_set magnitude_masks(Model& model, std::vector<std::string> const& names, selection const& wanted) {
  std::vector<scored<tensor_of<Model>>> scores;
  for (auto const& p : model.parameters())
    if (is_among(names, p.name))
      scores.push_back({p.name, tensor_of<Model>(magnitude{}(*p.value)), p.role, p.output_axis, p.output_groups});
  auto const parameters = parameters_of(scores);
  return layerwise_unstructured{}(std::span(parameters.data(), parameters.size()),
                                  selection{.keep = wanted.keep,
                                            .survivors = wanted.survivors,
                                            .at_least = wanted.at_least,
                                            .decided_by_position = wanted.decided_by_position});
}

/// The masks of a round within those from before, in the model's order: what was pruned stays pruned, in parameters that the loss does not
/// reach and in channels that stay, too.
template <prunable Model>
[[nodiscard]] mask_set with_earlier(Model& model, mask_set masks, mask_set const& earlier) {
  if (earlier.empty()) return masks;
  for (auto& each : masks)
    if (auto const* const before = earlier.find(each.name())) each.keep_within(*before);
  auto const is_known = [&](mask const& each) { return masks.find(each.name()) != nullptr; };
  if (std::ranges::all_of(earlier, is_known)) return masks;
  mask_set all;
  for (auto const& p : model.parameters())
    if (auto const* const found = masks.find(p.name) != nullptr ? masks.find(p.name) : earlier.find(p.name)) all.add(*found);
  return all;
}

template <prunable Model>
[[nodiscard]] std::vector<layer_report> layers_of(Model& model, std::vector<std::string> const& without_score) {
  std::vector<layer_report> layers;
  for (auto const& p : model.parameters())
    if (is_prunable(p.role))
      layers.push_back({.name = p.name, .total = size_of(*p.value), .kept = 0, .reached = !is_among(without_score, p.name)});
  return layers;
}

/// What the rounds have come to.
struct rounds_so_far {
  mask_set masks = {};
  std::vector<std::string> without_score = {};
  std::vector<std::string> dense = {};
  std::vector<std::string> silent = {};  ///< parameters that the first round scored 0 throughout, though their weights are not
  std::size_t decided_by_position = 0;
  bool drawn_within_layers = false;
  int rounds = 0;
};

/// The parameters whose scores are all 0 and whose weights are not: the criterion says nothing about them. Looks at few scores, as a rule:
/// up to the first that is not 0.
template <prunable Model, class T>
[[nodiscard]] std::vector<std::string> silent_parameters(Model& model, std::span<scored_parameter<T> const> scored) {
  auto const is_zero = [](auto const& values) { return std::ranges::all_of(values, [](auto v) { return v == 0; }); };
  std::vector<std::string> silent;
  for (auto const& each : scored) {
    if (!is_zero(each.scores)) continue;
    for (auto const& p : model.parameters())
      if (p.name == each.name && !is_zero(values_of(*p.value))) silent.push_back(p.name);
  }
  return silent;
}

/// Refuses scores of whole filters where single weights are ranked: all weights of a filter tie, and their places would decide.
template <class Mask, class T>
void require_scores_of_weights(std::span<scored_parameter<T> const> scored) {
  if constexpr (ranks_weights<Mask>)
    if (auto const found = std::ranges::find(scored, true, &scored_parameter<T>::of_filters); found != scored.end())
      fail_request("the scores of ", found->name,
                   " are those of whole filters, equal for all weights of one, so that their places alone would decide: "
                   "take whole channels, as channel_structured does, or choose a criterion of single weights");
}

/// One round: ranks the scores among the survivors of the rounds before, or all weights where there are no masks yet.
template <class Mask, class Model, class T>
void rank_round(Model& model, score_set<T> const& scores, prune_options<Mask> const& options, lnpt::density keep,
                rounds_so_far& state) {
  auto const survivors = std::move(state.masks);
  selection wanted{.keep = keep,
                   .survivors = survivors.empty() ? nullptr : &survivors,
                   .end = options.keep_end,
                   .at_least = options.at_least,
                   .layer_floor = options.layer_floor,
                   .decided_by_position = &state.decided_by_position};
  if (options.unreached == unreached::keep_in_budget) wanted.already_kept = unscored_weights(model, scores.unreached, survivors);
  auto const parameters = parameters_of(scores.parameters);
  std::span<scored_parameter<value_type<T>> const> const view(parameters);
  require_scores_of_weights<Mask>(view);
  if (survivors.empty()) state.silent = silent_parameters(model, view);  // in the first round, of a whole network
  state.drawn_within_layers = std::ranges::any_of(view, &scored_parameter<value_type<T>>::ranks_itself);
  state.masks = options.strategy(view, wanted);
  require_shapes(view, state.masks);
  if (options.unreached == unreached::magnitude)
    for (auto& m : magnitude_masks(model, scores.unreached, wanted)) state.masks.add(std::move(m));
  state.masks = with_earlier(model, std::move(state.masks), survivors);
  require_promised_count<Mask>(view, wanted, state.masks);
  state.without_score = scores.unreached;
  if constexpr (requires { options.strategy.dense_parameters(view); }) state.dense = options.strategy.dense_parameters(view);
}

/// Parameters that look like weights, having two axes or more, but are none.
template <prunable Model>
[[nodiscard]] std::vector<layer_report> not_prunable_of(Model& model) {
  std::vector<layer_report> found;
  for (auto const& p : model.parameters())
    if (!is_prunable(p.role) && shape_of(*p.value).size() >= 2)
      found.push_back({.name = p.name, .total = size_of(*p.value), .kept = size_of(*p.value)});
  return found;
}

/// How much was decided by place alone. One weight can be tied in several rounds, so that rounds have decisions and not weights to count.
[[nodiscard]] inline std::string by_position(std::size_t decided, std::size_t scored, int rounds) {
  if (rounds > 1)
    return std::to_string(decided) + " decisions in " + std::to_string(rounds) + " rounds on " + std::to_string(scored) +
           " scored weights were between equal scores and fell by place alone";
  return std::to_string(decided) + " of " + std::to_string(scored) +
         " scored weights had exactly the score of a threshold and were kept or removed by their place alone";
}

/// The report on what the rounds came to, with its warnings.
template <prunable Model>
[[nodiscard]] prune_report report_on(Model& model, rounds_so_far const& state) {
  auto report = make_report(state.masks, layers_of(model, state.without_score));
  report.dense = state.dense;
  report.not_prunable = not_prunable_of(model);
  if constexpr (requires { model.remarks(); }) report.warnings = model.remarks();
  report.decided_by_position = state.decided_by_position;
  report.drawn_within_layers = state.drawn_within_layers;
  if (!state.silent.empty())
    report.warnings.push_back(
        "every score of " + state.silent.front() +
        (state.silent.size() > 1 ? " and of " + std::to_string(state.silent.size() - 1) + " more parameters" : "") +
        " is 0, though the weights are not, so that the criterion says nothing about them: synflow does not where absolute "
        "weights saturate activation functions such as ReLU6, nor do gradients behind units that are off for every sample; "
        "choose another criterion, such as snip, or other data");
  std::size_t scored = 0;
  for (auto const& layer : report.layers) scored += layer.reached ? layer.total : 0;
  if (100 * report.decided_by_position > scored)
    report.warnings.push_back(by_position(report.decided_by_position, scored, state.rounds) +
                              ": score on more samples, or by another criterion, and start from the masks of a network that "
                              "was pruned before");
  return report;
}

/// Masks a model for a round of scoring and, where the model can, lets the model's passes skip what is pruned until this goes out of scope.
template <class Model>
class masking_guard {
 public:
  explicit masking_guard(Model& model) : model_(model) {}
  masking_guard(masking_guard const&) = delete;
  masking_guard& operator=(masking_guard const&) = delete;
  ~masking_guard() {
    if constexpr (skips_pruned) model_.skip_pruned({});
  }

  void apply(mask_set const& masks, execution how) {
    lnpt::apply(masks, model_);
    if constexpr (skips_pruned) model_.skip_pruned(masks, how);
  }

 private:
  static constexpr bool skips_pruned = requires(Model& m, mask_set const& masks, execution how) { m.skip_pruned(masks, how); };
  Model& model_;
};

/// The density that rounds begin at which start from these masks.
template <class Mask, class T>
[[nodiscard]] double first_density(Mask const& strategy, score_set<T> const& scores, mask_set const& start, lnpt::density last) {
  if constexpr (knows_kept_share<Mask, value_type<T>>) {
    auto const parameters = parameters_of(scores.parameters);
    return strategy.kept_share(std::span<scored_parameter<value_type<T>> const>(parameters), start);
  } else if constexpr (std::same_as<typename Mask::budget, sparsity>) {
    return kept_share(start, scores, last);
  } else {
    return 1.0;
  }
}

template <class Mask>
void require_heeded_floor(prune_options<Mask> const& options) {
  if (!keeps_layer_floor<Mask> && options.layer_floor.value_or(0.0) != 0)
    fail_request("a layer_floor of ", *options.layer_floor,
                 " would change nothing: this mask strategy knows no such floor; leave it out, or choose global_unstructured");
}

/// Refuses masks to start from that keep nothing.
inline void require_some_start(mask_set const& start) {
  if (!start.empty() && std::ranges::all_of(start, [](mask const& each) { return each.count() == 0; }))
    fail_request("the masks to start from keep no weight, so that nothing is left to rank: start from others, or from none");
}

/// Takes from scores what these masks do not go by: the draw within layers, and the criterion's own floors.
template <class Mask, class T>
void leave_out_unasked(prune_options<Mask> const& options, int rounds, score_set<T>& scores) {
  for (auto& each : scores.parameters) {
    if (!options.draws(rounds)) each.within.reset();
    if (!options.asks_floors()) each.layer_floor = 0;
  }
}

/// Scores, ranks, and scores what is left again, as often as asked; `rescore(model)` gives a score set. Where several rounds change
/// the model for a while, `prepare(model)` may do so before the first. Masks to start from are applied before that.
template <class Schedule, class Mask, class Model, class Rescore, class Prepare>
[[nodiscard]] prune_result prune_in_rounds(Model& model, prune_options<Mask> const& options, int rounds, Rescore const& rescore,
                                           Prepare const& prepare) {
  require_heeded_floor(options);
  require_some_start(options.start);
  stopwatch const watch;
  rounds_so_far state{.masks = options.start, .rounds = rounds};
  auto const starts_pruned = !options.start.empty();
  {
    std::optional<restoring_guard<Model>> guard;
    if (rounds > 1 || starts_pruned) guard.emplace(model);
    masking_guard<Model> masking(model);
    if (starts_pruned) masking.apply(options.start, options.execution);
    if (rounds > 1) prepare(model);
    auto const last = density_of(options.budget.value());
    auto first = 1.0;
    for (int t = 1; t <= rounds; ++t) {
      if (options.progress) options.progress(t, rounds);
      auto scores = rescore(model);
      leave_out_unasked(options, rounds, scores);
      require_ranking(scores, t);
      if (t == 1 && starts_pruned) first = first_density(options.strategy, scores, state.masks, last);
      auto const keep = density_of_round<Schedule>(t, rounds, first, last);
      if (t < rounds && keep.value() == 0)
        fail_request(
            "round ", t, " of ", rounds,
            " would remove every weight, so that the next had nothing to score: ask for a sparsity below 1, or for one round");
      rank_round(model, scores, options, keep, state);
      if (t < rounds) masking.apply(state.masks, options.execution);
    }
  }
  auto report = report_on(model, state);
  report.seconds = watch.seconds();
  return {std::move(state.masks), std::move(report)};
}

}  // namespace lnpt::detail
