#pragma once
/// A criterion and how it scores, by one string: `feature_map_synaptic:curvature=hessian_gradient:batch-norm=train`.
#include <optional>
#include <string>
#include <string_view>

#include <lnpt/core/normalization.hpp>
#include <lnpt/evidence/filter_norms.hpp>
#include <lnpt/evidence/gauss_newton.hpp>
#include <lnpt/filters/map_similarities.hpp>
#include <lnpt/loss/concept.hpp>
#include <lnpt/mask/ranking.hpp>

#include "text.hpp"

namespace cli {

enum class criterion_kind {
  magnitude,
  random,
  filter_norm,
  bn_scale,
  hrank,
  nisp,
  qsfm,
  snip,
  taylor,
  movement,
  fisher,
  obd,
  grasp,
  synflow,
  teacher_guided,
  feature_map_synaptic
};
enum class curvature_kind { gauss_newton, gauss_newton_exact, hessian_diagonal, hessian_gradient };
enum class loss_kind { cross_entropy, pseudo_label, distillation, feature_gap, feature_mse, total };
/// How the scores of a channel's weights become that of the channel and all that goes with it.
enum class channel_score { sum, mean, maximum, l2, first, normalized };
enum class schedule_kind { one_shot, linear, exponential, cubic };

inline constexpr spelling<criterion_kind> criterion_names[]{{"teacher_guided", criterion_kind::teacher_guided},
                                                            {"default", criterion_kind::teacher_guided},
                                                            {"feature_map_synaptic", criterion_kind::feature_map_synaptic},
                                                            {"lnpt", criterion_kind::feature_map_synaptic},
                                                            {"snip", criterion_kind::snip},
                                                            {"grasp", criterion_kind::grasp},
                                                            {"synflow", criterion_kind::synflow},
                                                            {"taylor", criterion_kind::taylor},
                                                            {"movement", criterion_kind::movement},
                                                            {"obd", criterion_kind::obd},
                                                            {"fisher", criterion_kind::fisher},
                                                            {"filter_norm", criterion_kind::filter_norm},
                                                            {"bn_scale", criterion_kind::bn_scale},
                                                            {"hrank", criterion_kind::hrank},
                                                            {"nisp", criterion_kind::nisp},
                                                            {"qsfm", criterion_kind::qsfm},
                                                            {"magnitude", criterion_kind::magnitude},
                                                            {"random", criterion_kind::random}};
inline constexpr spelling<curvature_kind> curvature_names[]{{"gauss_newton", curvature_kind::gauss_newton},
                                                            {"gauss_newton_exact", curvature_kind::gauss_newton_exact},
                                                            {"hessian_diagonal", curvature_kind::hessian_diagonal},
                                                            {"hessian_gradient", curvature_kind::hessian_gradient}};
inline constexpr spelling<loss_kind> loss_names[]{
    {"cross_entropy", loss_kind::cross_entropy}, {"pseudo_label", loss_kind::pseudo_label},
    {"distillation", loss_kind::distillation},   {"feature_gap", loss_kind::feature_gap},
    {"feature_mse", loss_kind::feature_mse},     {"total", loss_kind::total}};
inline constexpr spelling<channel_score> channel_score_names[]{
    {"sum", channel_score::sum}, {"mean", channel_score::mean},   {"max", channel_score::maximum},
    {"l2", channel_score::l2},   {"first", channel_score::first}, {"normalized", channel_score::normalized}};
inline constexpr spelling<schedule_kind> schedule_names[]{{"one_shot", schedule_kind::one_shot},
                                                          {"linear", schedule_kind::linear},
                                                          {"exponential", schedule_kind::exponential},
                                                          {"cubic", schedule_kind::cubic}};
inline constexpr spelling<lnpt::norm_mode> norm_names[]{
    {"train", lnpt::norm_mode::train}, {"frozen", lnpt::norm_mode::frozen}, {"eval", lnpt::norm_mode::eval}};
inline constexpr spelling<lnpt::filter_measure> measure_names[]{{"l1", lnpt::filter_measure::l1},
                                                                {"l2", lnpt::filter_measure::l2},
                                                                {"mean_l1", lnpt::filter_measure::mean_l1},
                                                                {"mean_l2", lnpt::filter_measure::mean_l2}};
inline constexpr spelling<lnpt::map_similarity> similarity_names[]{{"ssim", lnpt::map_similarity::ssim},
                                                                   {"psnr", lnpt::map_similarity::psnr}};
inline constexpr spelling<lnpt::keep_end> rank_names[]{{"highest", lnpt::keep_end::highest}, {"lowest", lnpt::keep_end::lowest}};

/// What to score with. Everything left empty takes the criterion's own default.
struct criterion_spec {
  std::string text;  ///< as it was written
  criterion_kind kind = criterion_kind::teacher_guided;
  std::optional<curvature_kind> curvature = std::nullopt;
  std::optional<int> probes = std::nullopt;
  std::optional<loss_kind> loss = std::nullopt;
  std::optional<double> temperature = std::nullopt;
  std::optional<lnpt::norm_mode> batch_norm = std::nullopt;
  std::optional<lnpt::filter_measure> measure = std::nullopt;
  std::optional<lnpt::map_similarity> similarity = std::nullopt;
  std::optional<int> rounds = std::nullopt;
  std::optional<double> layer_floor = std::nullopt;
  std::optional<channel_score> per_channel = std::nullopt;
  std::optional<schedule_kind> schedule = std::nullopt;
  lnpt::keep_end keep_end = lnpt::keep_end::highest;

  /// Whether scores come from the model alone.
  [[nodiscard]] bool data_free() const;
  /// Whether scores come from what layers compute, without a loss.
  [[nodiscard]] bool looks_at_maps() const {
    return kind == criterion_kind::hrank || kind == criterion_kind::nisp || kind == criterion_kind::qsfm;
  }
  /// Whether scores are those of whole filters, among whose weights none is worth more.
  [[nodiscard]] bool scores_filters() const {
    return looks_at_maps() || kind == criterion_kind::filter_norm || kind == criterion_kind::bn_scale;
  }
  /// Whether scores of a deep network lie further apart than numbers of single precision do.
  [[nodiscard]] bool outgrows_float() const { return kind == criterion_kind::nisp; }
  [[nodiscard]] curvature_kind curvature_used() const { return curvature.value_or(curvature_kind::gauss_newton); }
  [[nodiscard]] int probes_used() const { return probes.value_or(lnpt::gauss_newton<>::probes); }
  [[nodiscard]] loss_kind loss_used() const;
  /// The temperature, or that of the criterion's own loss, or the loss's own.
  [[nodiscard]] double temperature_used() const;
  [[nodiscard]] lnpt::norm_mode batch_norm_used() const;
  [[nodiscard]] lnpt::filter_measure measure_used() const { return measure.value_or(lnpt::filter_measure::l1); }
  [[nodiscard]] lnpt::map_similarity similarity_used() const { return similarity.value_or(lnpt::map_similarity::ssim); }
  [[nodiscard]] channel_score per_channel_used() const { return per_channel.value_or(channel_score::sum); }
  [[nodiscard]] schedule_kind schedule_used() const { return schedule.value_or(schedule_kind::exponential); }
  [[nodiscard]] int rounds_used() const { return rounds.value_or(kind == criterion_kind::synflow ? 100 : 1); }
  /// The share of its even part that each layer keeps whatever its scores, where that is not as the criterion has it.
  [[nodiscard]] std::optional<double> layer_floor_used() const;
  /// Whether the loss holds the student's classes against the teacher's.
  [[nodiscard]] bool compares_classes() const;
  /// What has to be at hand for scoring.
  [[nodiscard]] lnpt::loss_needs reads() const;
};

/// The options a criterion may be given, as `key=value` in a list and as flags of their own.
inline constexpr std::string_view criterion_keys =
    "curvature, probes, loss, temperature, batch-norm, measure, similarity, rounds, schedule, layer-floor, channel-score or rank";

/// Sets one option; refuses an unknown key or value.
void set_option(criterion_spec& spec, std::string_view key, std::string_view value);

/// Sets one option by the flag of its name; an empty value is that of a flag nobody gave. Refuses an option that the text gives, too.
void set_by_flag(criterion_spec& spec, std::string_view key, std::string_view value);

/// Refuses options that the criterion has no use for.
void check(criterion_spec const& spec);

/// Refuses a schedule of a criterion that scores once; apart from the others, since a flag may still bring the rounds.
void require_use_of_schedule(criterion_spec const& spec);

/// `name[:key=value…]`, checked.
[[nodiscard]] criterion_spec parse_criterion(std::string_view text);

/// The one spelling of a criterion, however it was written: its name, and the options that are not its defaults, in the order of
/// `criterion_keys`.
[[nodiscard]] std::string canonical(criterion_spec const& spec);

}  // namespace cli
