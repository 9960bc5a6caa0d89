#pragma once
/// The results of a comparison: a row per student, kept in files that survive an interruption.
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "comparison_record.hpp"
#include "criterion.hpp"

namespace cli {

/// The rows of a folder: results.csv grows by a line per student, results.json holds all that is known, manifest.json the settings.
class comparison_results {
 public:
  /// Opens the folder, made where it is missing, and reads the rows in it. Refuses a folder of a run with other settings.
  comparison_results(std::filesystem::path folder, std::map<std::string, std::string> settings);

  [[nodiscard]] std::filesystem::path const& folder() const { return folder_; }
  [[nodiscard]] comparison_record const& record() const { return record_; }
  [[nodiscard]] bool contains(std::string const& criterion, double sparsity, std::uint64_t seed) const;

  /// `epoch_seconds` 0: as it was, since the teacher was not trained any further.
  void set_teacher(std::uint64_t seed, double accuracy, double epoch_seconds);
  /// What every student's prunable parameters are. Refuses others than those of the students before.
  void set_layers(std::vector<compared_layer> layers);

  /// Writes the row to the disk before it returns.
  void add(comparison_row row);

 private:
  void require_same_settings() const;
  void read_csv();
  void read_json();
  void write_csv() const;
  void write_json() const;

  std::filesystem::path folder_;
  comparison_record record_;
};

/// Prints the rows of these criteria and sparsities: means and deviations over the seeds, and beneath them what needs words.
void print_comparison(comparison_results const& results, std::vector<criterion_spec> const& criteria,
                      std::vector<double> const& sparsities);

}  // namespace cli
