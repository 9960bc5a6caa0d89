#pragma once
/// From names to types: the templates of scoring.hpp, compiled once per precision.
#include <lnpt/criterion/bn_scale.hpp>
#include <lnpt/criterion/feature_map_synaptic.hpp>
#include <lnpt/criterion/filter_norm.hpp>
#include <lnpt/criterion/fisher.hpp>
#include <lnpt/criterion/grasp.hpp>
#include <lnpt/criterion/magnitude.hpp>
#include <lnpt/criterion/movement.hpp>
#include <lnpt/criterion/obd.hpp>
#include <lnpt/criterion/random.hpp>
#include <lnpt/criterion/snip.hpp>
#include <lnpt/criterion/synflow.hpp>
#include <lnpt/criterion/taylor.hpp>
#include <lnpt/criterion/teacher_guided.hpp>
#include <lnpt/filters/hrank.hpp>
#include <lnpt/filters/nisp.hpp>
#include <lnpt/filters/qsfm.hpp>
#include <lnpt/loss/distillation.hpp>
#include <lnpt/loss/feature_mse.hpp>
#include <lnpt/loss/pseudo_label.hpp>
#include <lnpt/loss/weighted_sum.hpp>
#include <lnpt/mask/channel_structured.hpp>
#include <lnpt/mask/n_of_m.hpp>
#include <lnpt/schedule/cubic.hpp>
#include <lnpt/schedule/linear.hpp>
#include <lnpt/schedule/one_shot.hpp>

#include "loss_choice.hpp"
#include "scoring.hpp"

namespace cli {

/// LNPT's L_total, the loss that students train with.
using total_loss = lnpt::weighted_sum<lnpt::pseudo_label, lnpt::feature_mse>;
using loss_on_logits = loss_choice<lnpt::pseudo_label, lnpt::distillation>;
using loss_on_features = loss_choice<lnpt::feature_gap, lnpt::feature_mse, total_loss>;

/// How scores are gathered; `ranked`: what ranking them takes beside their sizes.
[[nodiscard]] inline lnpt::score_options options_of(pruning_spec const& spec, lnpt::score_options ranked) {
  ranked.batch_norm = spec.criterion.batch_norm, ranked.seed = spec.seed, ranked.probes = spec.criterion.probes_used();
  return ranked;
}

template <class T>
[[nodiscard]] std::vector<lnpt::labelled_batch<T>> labelled(scoring_data<T> const& data, criterion_spec const& spec) {
  if (!data.labels)
    refuse(spec.text,
           " reads labels and there are none: give the data labels, or choose a loss that reads none, such as pseudo_label with "
           "a teacher");
  std::vector<lnpt::labelled_batch<T>> batches;
  for (std::size_t i = 0; i < data.batches.size(); ++i) batches.push_back({data.batches[i].input, (*data.labels)[i]});
  return batches;
}

template <class T>
[[nodiscard]] lnpt::known_predictions<T> guide_of(scoring_data<T> const& data, criterion_spec const& spec) {
  if (!data.teacher_prediction) refuse(spec.text, " compares with a teacher and there is none: name its weights with --teacher");
  return lnpt::known_predictions<T>(*data.teacher_prediction, data.teacher_fingerprint);
}

/// The scores of criterion `C` under the loss that was asked for. Only the losses on labels ever see a labelled batch.
template <class C, class Model>
[[nodiscard]] auto score_with(Model& model, scoring_data<lnpt::tensor_of<Model>> const& data, criterion_spec const& spec,
                              lnpt::score_options const& options) {
  auto const temperature = spec.temperature_used();
  auto const on_logits = [&](auto loss) {
    return lnpt::score<C>(model, data.batches, guide_of(data, spec), loss_on_logits{loss}, options);
  };
  auto const on_features = [&](auto loss) {
    return lnpt::score<C>(model, data.batches, guide_of(data, spec), loss_on_features{loss}, options);
  };
  switch (spec.loss_used()) {
    case loss_kind::cross_entropy: return lnpt::score<C>(model, labelled(data, spec), lnpt::cross_entropy{temperature}, options);
    case loss_kind::pseudo_label: return on_logits(lnpt::pseudo_label{temperature});
    case loss_kind::distillation: return on_logits(lnpt::distillation{.temperature = temperature});
    case loss_kind::feature_gap: return on_features(lnpt::feature_gap{});
    case loss_kind::total: return on_features(lnpt::pseudo_label{} + lnpt::feature_mse{temperature});
    case loss_kind::feature_mse: break;
  }
  return on_features(lnpt::feature_mse{temperature});
}

/// The scores of a criterion `Criterion<Curvature>`.
template <template <class> class Criterion, class Model, class... Rest>
[[nodiscard]] auto score_with_curvature(Model& model, criterion_spec const& spec, Rest const&... rest) {
  if (spec.curvature_used() == curvature_kind::gauss_newton && spec.batch_norm == lnpt::norm_mode::train &&
      lnpt::has_normalization(model))
    refuse(
        "gauss_newton squares per sample, but batch norm in train mode couples the samples of a batch: use --batch-norm frozen, "
        "or --curvature gauss_newton_exact");
  if constexpr (std::same_as<Criterion<lnpt::hessian_gradient>,
                             lnpt::feature_map_synaptic<lnpt::hessian_gradient>>)  // no diagonal, so not obd's
    if (spec.curvature_used() == curvature_kind::hessian_gradient)
      return score_with<Criterion<lnpt::hessian_gradient>>(model, rest...);
  switch (spec.curvature_used()) {
    case curvature_kind::gauss_newton_exact: return score_with<Criterion<lnpt::gauss_newton_exact>>(model, rest...);
    case curvature_kind::hessian_diagonal: return score_with<Criterion<lnpt::hessian_diagonal>>(model, rest...);
    default: return score_with<Criterion<lnpt::gauss_newton<>>>(model, rest...);
  }
}

template <class Model>
[[nodiscard]] auto score_filters(Model& model, lnpt::shape const& sample, criterion_spec const& spec,
                                 lnpt::score_options const& options) {
  using lnpt::filter_measure;
  switch (spec.measure_used()) {
    case filter_measure::l2: return lnpt::score<lnpt::filter_norm<filter_measure::l2>>(model, sample, options);
    case filter_measure::mean_l1: return lnpt::score<lnpt::filter_norm<filter_measure::mean_l1>>(model, sample, options);
    case filter_measure::mean_l2: return lnpt::score<lnpt::filter_norm<filter_measure::mean_l2>>(model, sample, options);
    case filter_measure::l1: break;
  }
  return lnpt::score<lnpt::filter_norm<>>(model, sample, options);
}

/// Of criteria that look at feature maps, or at how layers follow one another, which the library's own networks alone show.
template <class Model>
[[nodiscard]] auto score_by_maps(Model& model, scoring_data<lnpt::tensor_of<Model>> const& data, criterion_spec const& spec,
                                 lnpt::score_options const& options) {
  if constexpr (lnpt::shows_layers<Model>) {
    if (spec.kind == criterion_kind::nisp) return lnpt::score<lnpt::nisp>(model, data.batches, options);
  } else if (spec.kind == criterion_kind::nisp) {
    refuse(spec.text, " looks at how layers follow one another, which networks of this engine do not show: use --engine cpu");
  }
  if (spec.kind == criterion_kind::hrank) return lnpt::score<lnpt::hrank>(model, data.batches, options);
  if (spec.similarity_used() == lnpt::map_similarity::psnr)
    return lnpt::score<lnpt::qsfm<lnpt::map_similarity::psnr>>(model, data.batches, options);
  return lnpt::score<lnpt::qsfm<>>(model, data.batches, options);
}

/// Refuses criteria that score the filters of convolutions, or those before batch norms, of a network that has none.
template <class Model>
void require_filters(Model& model, criterion_spec const& spec) {
  auto const by_maps = spec.kind == criterion_kind::hrank || spec.kind == criterion_kind::qsfm;
  if (!by_maps && spec.kind != criterion_kind::bn_scale) return;
  for (auto const& p : model.parameters()) {
    auto const is_filter = lnpt::is_prunable(p.role) && lnpt::shape_of(*p.value).size() > 2;
    if (by_maps ? is_filter : p.role == lnpt::role::norm_scale) return;
  }
  refuse(spec.text, by_maps ? " looks at the feature maps of convolutions" : " reads the scales of batch norms",
         ", and the network has none: choose another criterion, such as ", by_maps ? "nisp" : "filter_norm");
}

template <class Model>
lnpt::score_set<lnpt::tensor_of<Model>> score_once(Model& model, scoring_data<lnpt::tensor_of<Model>> const& data,
                                                   criterion_spec const& spec, lnpt::score_options const& options) {
  require_filters(model, spec);
  switch (spec.kind) {
    case criterion_kind::magnitude: return lnpt::score<lnpt::magnitude>(model, data.sample, options);
    case criterion_kind::random: return lnpt::score<lnpt::random>(model, data.sample, options);
    case criterion_kind::synflow: return lnpt::score<lnpt::synflow>(model, data.sample, options);
    case criterion_kind::filter_norm: return score_filters(model, data.sample, spec, options);
    case criterion_kind::bn_scale: return lnpt::score<lnpt::bn_scale>(model, data.sample, options);
    case criterion_kind::hrank:
    case criterion_kind::nisp:
    case criterion_kind::qsfm: return score_by_maps(model, data, spec, options);
    case criterion_kind::movement: return score_with<lnpt::movement>(model, data, spec, options);
    case criterion_kind::fisher: return score_with<lnpt::fisher>(model, data, spec, options);
    case criterion_kind::teacher_guided: return score_with<lnpt::teacher_guided>(model, data, spec, options);
    case criterion_kind::snip: return score_with<lnpt::snip>(model, data, spec, options);
    case criterion_kind::taylor: return score_with<lnpt::taylor>(model, data, spec, options);
    case criterion_kind::grasp: return score_with<lnpt::grasp>(model, data, spec, options);
    case criterion_kind::obd: return score_with_curvature<lnpt::obd>(model, spec, data, spec, options);
    case criterion_kind::feature_map_synaptic: break;
  }
  return score_with_curvature<lnpt::feature_map_synaptic>(model, spec, data, spec, options);
}

/// `f` with the schedule's type.
template <class F>
[[nodiscard]] auto with_schedule(schedule_kind kind, F f) {
  switch (kind) {
    case schedule_kind::one_shot: return f(lnpt::schedule::one_shot{});
    case schedule_kind::linear: return f(lnpt::schedule::linear{});
    case schedule_kind::cubic: return f(lnpt::schedule::cubic{});
    case schedule_kind::exponential: break;
  }
  return f(lnpt::schedule::exponential{});
}

template <class Mask, class Model, class Rescore>
[[nodiscard]] lnpt::prune_result prune_by_scores(Model& model, pruning_spec const& spec, typename Mask::budget budget,
                                                 Rescore const& rescore, Mask const& strategy = {}) {
  lnpt::prune_options<Mask> const options{
      .budget = budget,
      .strategy = strategy,
      .rounds = spec.criterion.rounds_used(),
      .unreached = spec.unreached,
      .keep_end = spec.criterion.keep_end,
      .at_least = spec.at_least,
      .layer_floor = spec.criterion.layer_floor,
      .start = spec.start,
      .execution = spec.criterion.data_free() ? lnpt::execution::dense : lnpt::execution::automatic,
      .progress = spec.progress};
  auto const score = [&](Model& m) { return rescore(m, options_of(spec, options.scoring(options.rounds))); };
  return with_schedule(spec.criterion.schedule_used(),
                       [&]<class Schedule>(Schedule) { return lnpt::prune_by<Mask, Schedule>(model, score, options); });
}

/// A strategy of channels that makes one score of many as was asked for.
template <class Mask>
[[nodiscard]] Mask strategy_scoring(channel_score how, Mask strategy) {
  switch (how) {
    case channel_score::sum: strategy.accumulate = lnpt::accumulation::sum; break;
    case channel_score::maximum: strategy.accumulate = lnpt::accumulation::maximum; break;
    case channel_score::l2: strategy.accumulate = lnpt::accumulation::l2; break;
    case channel_score::first: strategy.accumulate = lnpt::accumulation::first; break;
    case channel_score::normalized: strategy.normalize = true; [[fallthrough]];
    case channel_score::mean: strategy.accumulate = lnpt::accumulation::mean; break;
  }
  return strategy;
}

/// Channels with all that is coupled to them, under a budget of their unit.
template <class Budget, class Model, class Rescore>
[[nodiscard]] lnpt::prune_result prune_coupled(Model& model, pruning_spec const& spec, Rescore const& rescore) {
  using strategy = lnpt::coupled_channels<Budget>;
  return prune_by_scores<strategy>(
      model, spec, Budget(spec.sparsity), rescore,
      strategy_scoring(spec.criterion.per_channel_used(), strategy{.atoms = spec.atoms, .round_to = spec.rounding}));
}

template <class Model, class Rescore>
[[nodiscard]] lnpt::prune_result prune_channels(Model& model, pruning_spec const& spec, Rescore const& rescore) {
  if (spec.mask == mask_kind::channels_per_layer || spec.atoms == nullptr)
    return prune_by_scores<lnpt::channel_structured>(
        model, spec, lnpt::channels{spec.sparsity}, rescore,
        strategy_scoring(spec.criterion.per_channel_used(),
                         lnpt::channel_structured{.per_layer = spec.mask == mask_kind::channels_per_layer}));
  switch (spec.unit) {
    case lnpt::counted::parameters: return prune_coupled<lnpt::parameters>(model, spec, rescore);
    case lnpt::counted::flops: return prune_coupled<lnpt::flops>(model, spec, rescore);
    case lnpt::counted::channels: break;
  }
  return prune_coupled<lnpt::channels>(model, spec, rescore);
}

template <class Model>
lnpt::prune_result prune_network(Model& model, scoring_data<lnpt::tensor_of<Model>> const& data, pruning_spec const& spec) {
  std::function const rescore = [&](Model& m, lnpt::score_options const& how) {
    return score_once(m, data, spec.criterion, how);
  };
  switch (spec.mask) {
    case mask_kind::layerwise:
      return prune_by_scores<lnpt::layerwise_unstructured>(model, spec, lnpt::sparsity{spec.sparsity}, rescore);
    case mask_kind::channels:
    case mask_kind::channels_per_layer: return prune_channels(model, spec, rescore);
    case mask_kind::two_of_four: return prune_by_scores<lnpt::n_of_m<2, 4>>(model, spec, lnpt::fixed_ratio{}, rescore);
    case mask_kind::global: break;
  }
  return prune_by_scores<lnpt::global_unstructured>(model, spec, lnpt::sparsity{spec.sparsity}, rescore);
}

/// Sets the scores of weights that are exactly zero, as pruned ones are, to 0.
template <class T, class Model>
void clear_pruned(lnpt::score_set<T>& scores, Model& model) {
  auto scored = scores.parameters.begin();
  for (auto const& p : model.parameters()) {
    if (scored == scores.parameters.end() || scored->name != p.name) continue;
    auto values = lnpt::values_of(scored->values);
    auto const weights = lnpt::values_of(*p.value);
    for (std::size_t i = 0; i < values.size(); ++i)
      if (weights[i] == 0) values[i] = 0;
    scored->values = lnpt::make_tensor<T>(lnpt::shape_of(scored->values), values, scored->values);
    ++scored;
  }
}

template <class Model>
lnpt::score_set<lnpt::tensor_of<Model>> score_in_rounds(Model& model, scoring_data<lnpt::tensor_of<Model>> const& data,
                                                        pruning_spec const& spec) {
  if (spec.criterion.rounds_used() == 1)
    return score_once(model, data, spec.criterion, options_of(spec, {.draws = false, .floors = false}));
  lnpt::score_set<lnpt::tensor_of<Model>> last;
  std::function const rescore = [&](Model& m, lnpt::score_options const& how) {
    last = score_once(m, data, spec.criterion, how);
    clear_pruned(last, m);
    return last;
  };
  static_cast<void>(prune_by_scores<lnpt::global_unstructured>(model, spec, lnpt::sparsity{spec.sparsity}, rescore));
  return last;
}

}  // namespace cli
