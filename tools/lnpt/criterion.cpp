#include "criterion.hpp"

#include <functional>

#include <lnpt/criterion/feature_map_synaptic.hpp>
#include <lnpt/criterion/fisher.hpp>
#include <lnpt/criterion/grasp.hpp>
#include <lnpt/criterion/movement.hpp>
#include <lnpt/criterion/obd.hpp>
#include <lnpt/criterion/taylor.hpp>
#include <lnpt/criterion/teacher_guided.hpp>
#include <lnpt/filters/scored_by.hpp>
#include <lnpt/loss/distillation.hpp>

namespace cli {

namespace {

bool takes_curvature(criterion_kind kind) { return kind == criterion_kind::obd || kind == criterion_kind::feature_map_synaptic; }

loss_kind own_loss(criterion_kind kind) {
  switch (kind) {
    case criterion_kind::feature_map_synaptic: return loss_kind::feature_gap;
    case criterion_kind::teacher_guided: return loss_kind::distillation;
    default: return loss_kind::cross_entropy;
  }
}

}  // namespace

bool criterion_spec::data_free() const {
  switch (kind) {
    case criterion_kind::magnitude:
    case criterion_kind::random:
    case criterion_kind::filter_norm:
    case criterion_kind::bn_scale:
    case criterion_kind::synflow: return true;
    default: return false;
  }
}

loss_kind criterion_spec::loss_used() const { return loss.value_or(own_loss(kind)); }

double criterion_spec::temperature_used() const {
  if (temperature) return *temperature;
  if (kind == criterion_kind::grasp && loss_used() == own_loss(kind)) return lnpt::grasp::default_loss.temperature;
  return loss_used() == loss_kind::distillation ? lnpt::distillation{}.temperature : 1.0;
}

lnpt::norm_mode criterion_spec::batch_norm_used() const {
  if (batch_norm) return *batch_norm;
  switch (kind) {
    case criterion_kind::teacher_guided: return lnpt::teacher_guided::norm;
    case criterion_kind::feature_map_synaptic: return lnpt::feature_map_synaptic<>::norm;
    case criterion_kind::snip: return lnpt::snip::norm;
    case criterion_kind::taylor: return lnpt::taylor::norm;
    case criterion_kind::movement: return lnpt::movement::norm;
    case criterion_kind::fisher: return lnpt::fisher::norm;
    case criterion_kind::obd: return lnpt::obd<>::norm;
    case criterion_kind::grasp: return lnpt::grasp::norm;
    default: return lnpt::scored_by<lnpt::weight>::norm;  // of maps, and of what reads no data
  }
}

std::optional<double> criterion_spec::layer_floor_used() const {
  auto const has_own = kind == criterion_kind::teacher_guided;
  return has_own || layer_floor.value_or(0) != 0 ? layer_floor : std::nullopt;
}

bool criterion_spec::compares_classes() const {
  auto const used = loss_used();
  return !data_free() && (used == loss_kind::pseudo_label || used == loss_kind::distillation || used == loss_kind::total);
}

lnpt::loss_needs criterion_spec::reads() const {
  if (data_free() || looks_at_maps()) return {};
  switch (loss_used()) {
    case loss_kind::cross_entropy: return {.labels = true};
    case loss_kind::pseudo_label:
    case loss_kind::distillation: return {.teacher = true};
    default: return {.teacher = true, .features = true};
  }
}

void set_option(criterion_spec& spec, std::string_view key, std::string_view value) {
  if (key == "curvature")
    spec.curvature = parse_choice("curvature", curvature_names, value);
  else if (key == "probes")
    spec.probes = parse_number<int>("number of probes", value);
  else if (key == "loss")
    spec.loss = parse_choice("loss", loss_names, value);
  else if (key == "temperature")
    spec.temperature = parse_number<double>("temperature", value);
  else if (key == "batch-norm")
    spec.batch_norm = parse_choice("batch-norm mode", norm_names, value);
  else if (key == "measure")
    spec.measure = parse_choice("measure", measure_names, value);
  else if (key == "similarity")
    spec.similarity = parse_choice("similarity", similarity_names, value);
  else if (key == "rounds")
    spec.rounds = parse_number<int>("number of rounds", value);
  else if (key == "schedule")
    spec.schedule = parse_choice("schedule", schedule_names, value);
  else if (key == "layer-floor")
    spec.layer_floor = parse_number<double>("layer floor", value);
  else if (key == "channel-score")
    spec.per_channel = parse_choice("channel score", channel_score_names, value);
  else if (key == "rank")
    spec.keep_end = parse_choice("rank", rank_names, value);
  else
    refuse("a criterion has no option \"", key, "\": choose ", criterion_keys);
}

void set_by_flag(criterion_spec& spec, std::string_view key, std::string_view value) {
  if (value.empty()) return;
  auto const option = std::string(key) + '=';
  for (auto const piece : split(spec.text, ':'))
    if (piece.starts_with(option)) refuse("--", key, " and \"", spec.text, "\" both give the ", key, ": leave one of them out");
  set_option(spec, key, value);
}

void check(criterion_spec const& spec) {
  auto const name = spell(criterion_names, spec.kind);
  auto const has_no_loss = spec.data_free() || spec.looks_at_maps();
  if (spec.curvature && !takes_curvature(spec.kind))
    refuse(name, " uses no curvature: leave the curvature out, or choose feature_map_synaptic or obd");
  if (spec.kind == criterion_kind::obd && spec.curvature == curvature_kind::hessian_gradient)
    refuse("hessian_gradient is no diagonal, as obd needs one: choose gauss_newton, gauss_newton_exact or hessian_diagonal");
  if (spec.probes && (!takes_curvature(spec.kind) || spec.curvature_used() != curvature_kind::gauss_newton))
    refuse(spec.text, " draws no probes: leave their number out, or use the curvature gauss_newton");
  if (spec.probes && *spec.probes < 1) refuse("gauss_newton needs at least one probe, not ", *spec.probes, ": pass 1 or more");
  if (spec.measure && spec.kind != criterion_kind::filter_norm)
    refuse(name, " measures no filters: leave the measure out, or choose filter_norm");
  if (spec.similarity && spec.kind != criterion_kind::qsfm)
    refuse(name, " compares no maps: leave the similarity out, or choose qsfm");
  if (spec.loss && has_no_loss)
    refuse(name, " has no loss: leave the loss out, or choose a criterion that has one, such as snip");
  if (spec.batch_norm && spec.data_free())
    refuse(name,
           " reads no data, which batch norm would normalise: leave its mode out, or choose a criterion of data, such as snip");
  if (spec.temperature && (has_no_loss || spec.loss_used() == loss_kind::feature_gap))
    refuse(has_no_loss ? name : "feature_gap",
           " has no temperature: leave it out, or choose a loss that has one, such as cross_entropy");
  if (spec.temperature && !(*spec.temperature > 0))
    refuse("a temperature of ", *spec.temperature, " divides nothing: pass a number above 0");
  if (spec.layer_floor && !(*spec.layer_floor >= 0 && *spec.layer_floor <= 1))
    refuse("a layer floor of ", *spec.layer_floor, " is outside [0, 1]: pass the share of its even part that each layer keeps");
  if (spec.per_channel && spec.scores_filters())
    refuse(name, " scores channels as wholes, which its measure says how: leave the channel score out");
  auto const probes =
      spec.curvature_used() == curvature_kind::gauss_newton || spec.curvature_used() == curvature_kind::gauss_newton_exact;
  if (spec.loss == loss_kind::total && takes_curvature(spec.kind) && probes)
    refuse(
        name, " with the curvature ", spell(curvature_names, spec.curvature_used()),
        " needs a root of its loss's Hessian, which the sum total does not give: choose one of its terms, such as feature_mse");
  if (spec.rounds && *spec.rounds < 1) refuse(*spec.rounds, " rounds score nothing: pass 1 or more");
}

void require_use_of_schedule(criterion_spec const& spec) {
  if (spec.schedule && spec.rounds_used() == 1)
    refuse("a schedule says how density falls over rounds, and ", spec.text, " scores once: leave it out, or give rounds");
}

criterion_spec parse_criterion(std::string_view text) {
  auto const pieces = split(text, ':');
  auto const kind = parse_choice("criterion", criterion_names, pieces[0]);
  criterion_spec spec{.text = std::string(spell(criterion_names, kind)) + std::string(text.substr(pieces[0].size())),
                      .kind = kind};
  read_options(std::span(pieces).subspan(1), text, "criterion", "rounds=10",
               [&](auto key, auto value) { set_option(spec, key, value); });
  check(spec);
  return spec;
}

std::string canonical(criterion_spec const& spec) {
  std::string text(spell(criterion_names, spec.kind));
  // An option is written where the criterion would be another without it, so that a default written out is none.
  auto const add = [&](std::string_view key, auto option, auto used, auto spelt) {
    auto without = spec;
    (without.*option).reset();
    auto const value = std::invoke(used, spec);
    if (value != std::invoke(used, without)) text.append(":").append(key).append("=").append(spelt(value));
  };
  auto const name_in = [](auto const& names) { return [&names](auto value) { return spell(names, value); }; };
  auto const count = [](int value) { return std::to_string(value); };
  auto const number = [](std::optional<double> value) { return shortest_text(*value); };
  using spec_type = criterion_spec;
  add("curvature", &spec_type::curvature, &spec_type::curvature_used, name_in(curvature_names));
  add("probes", &spec_type::probes, &spec_type::probes_used, count);
  add("loss", &spec_type::loss, &spec_type::loss_used, name_in(loss_names));
  add("temperature", &spec_type::temperature, &spec_type::temperature_used, number);
  add("batch-norm", &spec_type::batch_norm, &spec_type::batch_norm_used, name_in(norm_names));
  add("measure", &spec_type::measure, &spec_type::measure_used, name_in(measure_names));
  add("similarity", &spec_type::similarity, &spec_type::similarity_used, name_in(similarity_names));
  add("rounds", &spec_type::rounds, &spec_type::rounds_used, count);
  add("schedule", &spec_type::schedule, &spec_type::schedule_used, name_in(schedule_names));
  add("layer-floor", &spec_type::layer_floor, &spec_type::layer_floor_used, number);
  add("channel-score", &spec_type::per_channel, &spec_type::per_channel_used, name_in(channel_score_names));
  if (spec.keep_end != spec_type{}.keep_end) text.append(":rank=").append(spell(rank_names, spec.keep_end));
  return text;
}

}  // namespace cli
