#include "seed_masks.hpp"

#include <algorithm>
#include <chrono>
#include <set>
#include <span>

#include <lnpt/analysis/mask_overlap.hpp>
#include <lnpt/mask/report.hpp>
#include <lnpt/nn/on_backend.hpp>
#include <lnpt/train/batches.hpp>

#include "data.hpp"

namespace cli {
namespace {

/// Masks of a criterion that reads images alone, scored in double whatever the engine computes in.
lnpt::prune_result prune_in_double(trained_network& student, scoring_data<lnpt::cpu::array<float>> const& scoring,
                                   pruning_spec const& spec) {
  using array = lnpt::cpu::array<double>;
  auto twice = lnpt::on_backend<lnpt::cpu::backend<double>>(student);
  scoring_data<array> images{.sample = scoring.sample};
  for (auto const& batch : scoring.batches) images.batches.push_back({lnpt::convert<array>(batch.input, array())});
  return prune_network(twice, images, spec);
}

}  // namespace

seed_masks::seed_masks(training_engine const& engine, lnpt::io::image_set const& images, sample_choice const& choice,
                       removed_unit unit, std::uint64_t sample_seed, std::uint64_t scoring_seed, trained_network& teacher)
    : engine_(engine), images_(images), choice_(choice), unit_(unit), scoring_seed_(scoring_seed) {
  if (unit_) channels_ = lnpt::channel_map_of(teacher, around(images).input);
  auto const predict = engine.open(teacher);
  auto const decided = choice.by == sample_kind::pseudo_label ? decide(predict, images) : std::vector<std::int64_t>();
  auto const sample = draw(choice.per_class, sample_seed, decided);
  found_per_class_ = sample.found_per_class;
  scoring_ = data_of(sample.indices, predict);
  // A sample twice as large begins with the same images.
  auto others = draw(2 * choice.per_class, sample_seed, decided).indices;
  std::set<std::size_t> const taken(sample.indices.begin(), sample.indices.end());
  std::erase_if(others, [&](auto i) { return taken.contains(i); });
  if (2 * others.size() >= sample.indices.size()) others_ = data_of(others, predict);
  scoring_.teacher_fingerprint = lnpt::fingerprint_of(teacher);
  if (others_) others_->teacher_fingerprint = scoring_.teacher_fingerprint;
}

lnpt::scoring_sample seed_masks::draw(std::size_t per_class, std::uint64_t seed, std::vector<std::int64_t> const& decided) const {
  auto const classes = images_.classes;
  if (choice_.by == sample_kind::random) return lnpt::sample_at_random(images_.size(), per_class * classes, seed);
  if (choice_.by == sample_kind::label) return lnpt::sample_by_label(images_, classes, per_class, seed);
  return lnpt::sample_by_pseudo_label(decided, classes, per_class, seed);
}

scoring_data<lnpt::cpu::array<float>> seed_masks::data_of(std::vector<std::size_t> const& indices,
                                                          predictor<float> const& teacher) const {
  constexpr std::size_t batch = 100;
  scoring_data<array> scoring{.sample = around(images_).input,
                              .batches = lnpt::plain_batches(images_, std::span(indices), batch)};
  scoring.teacher_prediction.emplace();
  for (auto const& each : scoring.batches) scoring.teacher_prediction->push_back(teacher(each.input));
  if (choice_.labels) scoring.labels = label_batches(images_, indices, batch);
  return scoring;
}

lnpt::prune_result seed_masks::make_from(scoring_data<array> const& scoring, pruning_method const& method, double sparsity,
                                         trained_network& student) const {
  if (auto const* const options = method.search()) return search(scoring, *options, sparsity, student);
  return score_and_prune(scoring, *method.criterion(), sparsity, student);
}

lnpt::prune_result seed_masks::search(scoring_data<array> const& scoring, lnpt::eagle_eye_options options, double removed,
                                      trained_network& student) const {
  auto const start = std::chrono::steady_clock::now();
  options.removed = removed;
  options.seed = scoring_seed_;
  std::vector<array> images;
  std::vector<std::vector<std::int64_t>> decisions;
  decisions.reserve(scoring.teacher_prediction->size());
  for (auto const& batch : scoring.batches) images.push_back(batch.input);
  for (auto const& said : *scoring.teacher_prediction) decisions.push_back(lnpt::decided_classes(said.output));
  auto masks = lnpt::eagle_eye(student, std::span<array const>(images), decisions, options).masks;
  std::vector<lnpt::layer_report> layers;
  for (auto const& p : student.parameters())
    if (lnpt::is_prunable(p.role)) layers.push_back({.name = p.name, .total = p.value->size()});
  auto report = lnpt::make_report(masks, std::move(layers));
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return {std::move(masks), std::move(report)};
}

lnpt::prune_result seed_masks::score_and_prune(scoring_data<array> const& scoring, criterion_spec const& criterion,
                                               double sparsity, trained_network& student) const {
  pruning_spec spec{
      .criterion = criterion, .sparsity = sparsity, .unreached = lnpt::unreached::keep_in_budget, .seed = scoring_seed_};
  if (unit_) {
    spec.mask = mask_kind::channels;
    spec.unit = *unit_;
    spec.atoms = &channels_->set;
    spec.unreached = lnpt::unreached::keep;
  }
  return criterion.outgrows_float() ? prune_in_double(student, scoring, spec) : engine_.prune(student, scoring, spec);
}

std::optional<double> seed_masks::stability(pruning_method const& method, double sparsity, trained_network& student,
                                            lnpt::mask_set const& masks) const {
  if (!method.reads_images() || !others_) return std::nullopt;
  return lnpt::mask_overlap(masks, make_from(*others_, method, sparsity, student).masks);
}

double seed_masks::overlap(pruning_method const& other, double sparsity, trained_network& student, lnpt::mask_set const& masks) {
  auto& theirs = kept_[{other.text, sparsity}];
  if (theirs.empty()) theirs = make(other, sparsity, student).masks;
  return lnpt::mask_overlap(masks, theirs);
}

void seed_masks::keep(pruning_method const& method, double sparsity, lnpt::mask_set masks) {
  kept_[{method.text, sparsity}] = std::move(masks);
}

}  // namespace cli
