#pragma once
/// The results of a comparison: a row per student, kept in files that survive an interruption.
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "comparison_record.hpp"
#include "pruning_method.hpp"

namespace cli {

/// The rows of a folder: results.csv grows by a line per student, results.json holds all that is known, manifest.json the settings.
class comparison_results {
 public:
  /// Reads the rows of the folder, if there are any. Refuses a folder of a run with other settings.
  comparison_results(std::filesystem::path folder, std::map<std::string, std::string> settings);

  /// Makes the folder and notes the settings there; before the first row.
  void begin() const;

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
  [[nodiscard]] bool is_of_channels() const { return record_.settings.contains(budget_setting); }
  /// The first line of results.csv.
  [[nodiscard]] std::string heading() const;
  [[nodiscard]] std::string csv_line(comparison_row const& row) const;
  /// Whether results.csv is there with the heading of this version and whole lines.
  [[nodiscard]] bool read_csv();
  void read_json();
  void write_csv() const;
  void write_json() const;

  std::filesystem::path folder_;
  comparison_record record_;
  bool is_whole_ = false;  ///< results.csv, as this version writes it
};

/// Prints the rows of these methods and sparsities: means and deviations over the seeds, and beneath them what needs words.
void print_comparison(comparison_results const& results, std::vector<pruning_method> const& methods,
                      std::vector<double> const& sparsities);

}  // namespace cli
