#pragma once
/// score(): a criterion's scores of a model's weights.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <lnpt/core/extremes.hpp>
#include <lnpt/criterion/call.hpp>
#include <lnpt/criterion/teacher_guided.hpp>
#include <lnpt/diagnosis.hpp>
#include <lnpt/evidence/exchangeable.hpp>
#include <lnpt/evidence/indispensable.hpp>
#include <lnpt/evidence/noise.hpp>
#include <lnpt/mask/finite.hpp>

namespace lnpt {

/// The scores of one parameter, larger = keep.
template <class T>
struct scored {
  std::string name;
  T values;
  lnpt::role role = lnpt::role::weight;
  std::size_t output_axis = 0;
  std::size_t output_groups = 1;
  bool of_filters = false;  ///< whether the scores are those of output channels, shared out among their weights
  /// Ranks these weights among themselves, where the scores say how many stay and no more.
  std::optional<T> within = std::nullopt;
  double layer_floor =
      0;  ///< the least share that stays of its even part of the total, unless the caller says: global_unstructured
};

/// What score() returns: the scored parameters in the model's order, and the prunable ones the loss does not reach.
template <class T>
struct score_set {
  std::vector<scored<T>> parameters;
  std::vector<std::string> unreached;
  double seconds = 0;
};

/// Refuses NaN and infinite scores, naming the parameters and how many.
template <class T>
void require_finite(score_set<T> const& scores) {
  detail::non_finite_scores found;
  for (auto const& p : scores.parameters) {
    auto const values = values_of(p.values);
    found.add(p.name, count_nonfinite<value_type<T>>(values), values.size());
  }
  found.refuse();
}

/// Refuses scores that rank nothing: of no parameter, or all 0. `round` counts from 1 where pruning scores in rounds.
template <class T>
void require_ranking(score_set<T> const& scores, int round = 1) {
  if (scores.parameters.empty()) {
    if (scores.unreached.empty())
      fail("the model has no prunable weights: give the weights of its convolutions and linear layers role::weight");
    fail("the loss reaches none of the ", scores.unreached.size(), " prunable parameters (", scores.unreached.front(),
         scores.unreached.size() > 1 ? ", …" : "", "), so none has a score: choose a loss of what the model's weights lead to");
  }
  for (auto const& p : scores.parameters)
    if (!extremes_of(p.values).all_zero()) return;
  if (round > 1)
    fail("all scores are 0 in round ", round,
         ": the rounds before have cut every path from the input to the loss; ask for less sparsity, set at_least to keep "
         "weights in every layer, or, where synflow meets activation functions with an upper bound such as ReLU6, choose another "
         "criterion");
  fail("all scores are 0, from ", scores.parameters.front().name, " to ", scores.parameters.back().name,
       ", so nothing is more worth keeping than anything else: score weights that are not 0, on data and with a loss or teacher "
       "that the model does not satisfy already");
}

namespace detail {

class stopwatch {
 public:
  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// Turns evidence into scores, parameter by parameter, and uses it up.
template <criterion C, prunable Model>
[[nodiscard]] auto scores_from(C const& criterion, Model& model, gathered<tensor_of<Model>, typename C::evidence> found) {
  score_set<tensor_of<Model>> result;
  for (std::size_t i = 0; auto const& p : model.parameters()) {
    auto const index = i++;
    if (!is_prunable(p.role)) continue;
    if (auto values = call<tensor_of<Model>>(criterion, *p.value, found, index))
      result.parameters.push_back({p.name, std::move(*values), p.role, p.output_axis, p.output_groups, scores_filters<C>(),
                                   std::nullopt, default_layer_floor<C>()});
    else
      result.unreached.push_back(p.name);
  }
  return result;
}

/// Gives every layer that no path leads around a floor of `share` equal parts, φ_p = share · N / (L · N_p), so that of n weights it keeps as
/// many as of any other size: share · n / L. `indispensable`: one flag for each parameter of the model.
template <prunable Model, class T>
void raise_floors(Model& model, std::vector<char> const& indispensable, double share, score_set<T>& scores) {
  double mean_size = 0;
  for (auto const& each : scores.parameters)
    mean_size += static_cast<double>(size_of(each.values)) / static_cast<double>(scores.parameters.size());
  auto next = scores.parameters.begin();
  for (std::size_t i = 0; auto const& p : model.parameters()) {
    auto const is_indispensable = indispensable[i++] != 0;
    if (next == scores.parameters.end() || next->name != p.name) continue;
    if (is_indispensable)
      next->layer_floor = std::max(next->layer_floor, share * mean_size / static_cast<double>(size_of(next->values)));
    ++next;
  }
}

/// Adds a draw to the scores of every parameter.
template <prunable Model>
void add_draws(Model& model, score_options const& options, score_set<tensor_of<Model>>& scores) {
  auto draws = noise::of_model(model, {.options = options});
  auto next = scores.parameters.begin();
  for (std::size_t i = 0; auto const& p : model.parameters()) {
    auto& draw = draws[i++];
    if (next != scores.parameters.end() && next->name == p.name) (next++)->within = std::move(draw);
  }
}

/// The shape of one sample: given as it is, or read off the batches.
[[nodiscard]] inline shape sample_shape(shape const& extents) { return extents; }
template <class Batches>
[[nodiscard]] shape sample_shape(Batches const& batches) {
  auto const parts = parts_of(batches);
  if (parts.empty()) return {};
  auto extents = shape_of(parts.front().input);
  extents.erase(extents.begin());
  return extents;
}

/// The scores of a call that has passed its door, whether they rank anything or not.
template <criterion C, prunable Model, class Batches, class Guide, class Loss>
[[nodiscard]] auto score_well_formed(Model& model, Batches const& batches, Guide const& guide, Loss const& loss,
                                     score_options const& options, weight_signs signs = weight_signs::any) {
  stopwatch const watch;
  (void)model.parameters();  // whoever asks has whole weights from then on: a score is of every one, also where few are held
  gathered<tensor_of<Model>, typename C::evidence> found;
  bool draws = false;
  std::vector<char> indispensable;
  if constexpr (needs_of<C>().data) {
    auto const norm = normalization{options.batch_norm.value_or(default_norm<C>())};
    auto const problem = problem_on<Batches>::pose(model, batches, guide, loss, norm, options);
    gather_from_data(problem, found);
    if constexpr (draws_within_layers<C>()) draws = options.draws && has_exchangeable_weights(problem);
    if constexpr (indispensable_share<C>() > 0)
      if (options.floors) indispensable = indispensable_parameters(problem);
  }
  gather_from_model(model, {sample_shape(batches), options, signs}, found);
  auto result = scores_from(C{}, model, std::move(found));
  if (!indispensable.empty()) raise_floors(model, indispensable, indispensable_share<C>(), result);
  if (draws) add_draws(model, options, result);
  result.seconds = watch.seconds();
  return result;
}

/// The same, or the sentence that says why it cannot be.
template <class C, class Model, class Batches, class Guide, class Loss>
[[nodiscard]] auto score_as_asked(Model& model, Batches const& batches, Guide const& guide, Loss const& loss,
                                  score_options const& options) {
  using asked = diagnosis<C, Model, Batches, Guide, Loss>;
  if constexpr (asked::well_formed && is_shard<Batches>) {
    return batches.together(model, [&](auto const& agreed) { return score_as_asked<C>(model, agreed, guide, loss, options); });
  } else if constexpr (asked::well_formed) {
    auto scores = score_well_formed<C>(model, batches, guide, loss, options);
    require_finite(scores);
    require_ranking(scores);
    return scores;
  } else {
    asked::explain();
  }
}

}  // namespace detail

/// The scores of every prunable weight on a batch or a range of batches, under a guide and a loss of one's choice, by `C` or, where
/// none is named, `teacher_guided`. The model is left as it was. `batches` may be the shape of one input where the criterion reads no
/// data. Throws `lnpt::error` where the scores would rank nothing: NaN or infinite, all of them 0 or rounding noise, or none.
template <class C = teacher_guided, class Model, class Batches, class Guide, class Loss>
[[nodiscard]] auto score(Model& model, Batches const& batches, Guide const& guide, Loss const& loss,
                         score_options const& options = {}) {
  return detail::score_as_asked<C>(model, batches, guide, loss, options);
}

/// As above with the criterion's own loss, or with a loss and no guide.
template <class C = teacher_guided, class Model, class Batches, class GuideOrLoss>
[[nodiscard]] auto score(Model& model, Batches const& batches, GuideOrLoss const& guide_or_loss,
                         score_options const& options = {}) {
  if constexpr (loss_like<GuideOrLoss>)
    return detail::score_as_asked<C>(model, batches, no_guide{}, guide_or_loss, options);
  else
    return detail::score_as_asked<C>(model, batches, guide_or_loss, detail::default_loss<C>(), options);
}

/// As above without a guide.
template <class C = teacher_guided, class Model, class Batches>
[[nodiscard]] auto score(Model& model, Batches const& batches, score_options const& options = {}) {
  return detail::score_as_asked<C>(model, batches, no_guide{}, detail::default_loss<C>(), options);
}

}  // namespace lnpt
