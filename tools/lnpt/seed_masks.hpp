#pragma once
/// The masks of all students of one seed, and what they share.
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <lnpt/io/data_set.hpp>
#include <lnpt/mask/mask_set.hpp>
#include <lnpt/structure/channel_map.hpp>
#include <lnpt/structure/counts.hpp>
#include <lnpt/train/sampling.hpp>

#include "engine.hpp"
#include "pruning_method.hpp"

namespace cli {

enum class sample_kind { pseudo_label, label, random };
inline constexpr spelling<sample_kind> sample_names[]{
    {"pseudo-label", sample_kind::pseudo_label}, {"label", sample_kind::label}, {"random", sample_kind::random}};

/// Which images criteria score on.
struct sample_choice {
  sample_kind by = sample_kind::pseudo_label;
  std::size_t per_class = 10;
  bool labels = false;  ///< whether a criterion reads them
};

/// What a sparsity is a fraction of: of single weights, or of whole channels, with all that is coupled to them, counted in a unit.
using removed_unit = std::optional<lnpt::counted>;

/// Scoring images of one seed, and masks from them. The engine, the images and the teacher must stay where they are.
class seed_masks {
 public:
  using array = lnpt::cpu::array<float>;

  /// Draws the sample by `sample_seed`; criteria that draw do so by `scoring_seed`.
  seed_masks(training_engine const& engine, lnpt::io::image_set const& images, sample_choice const& choice, removed_unit unit,
             std::uint64_t sample_seed, std::uint64_t scoring_seed, trained_network& teacher);

  /// How many scoring images were found of each class, where they were looked for by class.
  [[nodiscard]] std::vector<std::size_t> const& found_per_class() const { return found_per_class_; }

  /// The student is left as it was. All students of a seed keep equal counts.
  [[nodiscard]] lnpt::prune_result make(pruning_method const& method, double sparsity, trained_network& student) const {
    return make_from(scoring_, method, sparsity, student);
  }
  /// What a mask from other images, drawn in the same way, shares with this one; nothing where they are less than half as many, or none
  /// are read.
  [[nodiscard]] std::optional<double> stability(pruning_method const& method, double sparsity, trained_network& student,
                                                lnpt::mask_set const& masks) const;
  /// What the mask of another method at this sparsity shares with this one. Masks are kept; one of an interrupted run is made again,
  /// the same.
  [[nodiscard]] double overlap(pruning_method const& other, double sparsity, trained_network& student,
                               lnpt::mask_set const& masks);
  void keep(pruning_method const& method, double sparsity, lnpt::mask_set masks);

  /// The images that everything is scored on.
  [[nodiscard]] scoring_data<array> const& scoring() const { return scoring_; }

 private:
  /// `decided`: the teacher's class of every image, where the sample is by pseudo-label.
  [[nodiscard]] lnpt::scoring_sample draw(std::size_t per_class, std::uint64_t seed,
                                          std::vector<std::int64_t> const& decided) const;
  [[nodiscard]] scoring_data<array> data_of(std::vector<std::size_t> const& indices, predictor<float> const& teacher) const;
  [[nodiscard]] lnpt::prune_result make_from(scoring_data<array> const& scoring, pruning_method const& method, double sparsity,
                                             trained_network& student) const;
  [[nodiscard]] lnpt::prune_result score_and_prune(scoring_data<array> const& scoring, criterion_spec const& criterion,
                                                   double sparsity, trained_network& student) const;
  /// The best shape by what the teacher decides.
  [[nodiscard]] lnpt::prune_result search(scoring_data<array> const& scoring, lnpt::eagle_eye_options options, double removed,
                                          trained_network& student) const;

  training_engine const& engine_;
  lnpt::io::image_set const& images_;
  sample_choice choice_;
  removed_unit unit_;
  std::optional<lnpt::channel_map> channels_;  ///< of teacher and students, where whole channels go
  std::uint64_t scoring_seed_;
  std::vector<std::size_t> found_per_class_;
  scoring_data<array> scoring_;
  std::optional<scoring_data<array>> others_;  ///< drawn in the same way, none of them the same
  std::map<std::pair<std::string, double>, lnpt::mask_set> kept_;
};

}  // namespace cli
