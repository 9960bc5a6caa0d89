#pragma once
/// The figures of a comparison.
#include <string>
#include <vector>

#include "comparison_record.hpp"
#include "engine_setting.hpp"

namespace cli {

/// A chart with what a reader should know of it.
struct figure {
  std::string name;   ///< what --figure calls it
  std::string group;  ///< the heading it stands under
  std::string svg;
  std::string caption;
};

/// All that these runs have values for, groups together. Runs are alike but for what their students learn from.
[[nodiscard]] std::vector<figure> figures_of(std::vector<comparison_record> const& runs);

/// What sets of masks of the criteria share, for a table: `shared[i][j]` is the mean over the seeds, not a number where it is unknown.
struct overlap_table {
  double sparsity = 0;
  std::vector<std::string> criteria;
  std::vector<std::vector<double>> shared;
};
[[nodiscard]] std::vector<overlap_table> overlaps_of(comparison_record const& run);

/// The criteria and sparsities that occur, in the order of the first row of each, and sparsities from low to high.
[[nodiscard]] std::vector<std::string> criteria_of(std::vector<comparison_record> const& runs);
[[nodiscard]] std::vector<double> sparsities_of(std::vector<comparison_record> const& runs);

/// What a ratio of these runs is of, as in "50 % sparsity" or "50 % of the multiply-adds removed".
[[nodiscard]] std::string ratio_words(std::vector<comparison_record> const& runs);

/// Whether the students of a run learn from labels.
[[nodiscard]] bool learns_from_labels(comparison_record const& run);
/// Whether the images that criteria score on were chosen by their labels.
[[nodiscard]] bool samples_by_labels(comparison_record const& run);

}  // namespace cli
