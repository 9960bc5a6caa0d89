#pragma once
/// The results of a comparison: a row per student, kept in files that survive an interruption.
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "comparison_record.hpp"
#include "pruning_method.hpp"
#include "records_lock.hpp"

namespace cli {

/// The rows of a folder: results.csv grows by a line per student, results.json holds all that is known, manifest.json the settings. Which
/// rows there are, results.csv says; where it is missing, results.json.
class comparison_results {
 public:
  /// Reads the rows of the folder, if there are any. Refuses a folder of a run with other settings, of which no file says the settings, or
  /// that another process is writing.
  comparison_results(std::filesystem::path folder, std::map<std::string, std::string> settings);

  /// Makes the folder, locks it and notes the settings there; before the first row.
  void begin();

  [[nodiscard]] std::filesystem::path const& folder() const { return folder_; }
  [[nodiscard]] comparison_record const& record() const { return record_; }
  [[nodiscard]] bool contains(std::string const& criterion, double sparsity, std::uint64_t seed) const;
  [[nodiscard]] bool knows_teacher(std::uint64_t seed) const { return record_.teachers.contains(seed); }
  /// Of how many students results.json is missing, which alone knows more than their lines in results.csv.
  [[nodiscard]] std::size_t rows_alone() const { return rows_alone_; }

  /// `epoch_seconds` 0: as it was, since the teacher was not trained any further.
  void set_teacher(std::uint64_t seed, double accuracy, double epoch_seconds);
  /// What every student's prunable parameters are. Refuses others than those of the students before.
  void set_layers(std::vector<compared_layer> layers);

  /// Writes the row to the disk before it returns.
  void add(comparison_row row);

 private:
  [[nodiscard]] std::filesystem::path manifest() const { return folder_ / "manifest.json"; }
  [[nodiscard]] std::filesystem::path csv() const { return folder_ / "results.csv"; }
  [[nodiscard]] std::filesystem::path json() const { return folder_ / "results.json"; }
  [[nodiscard]] bool has_records() const;
  /// Whether any training has left something: settings of a run that ended before that bind nobody.
  [[nodiscard]] bool is_begun() const;
  /// The settings in manifest.json, if it is there. Refuses another file of that name.
  [[nodiscard]] std::optional<std::map<std::string, std::string>> read_manifest() const;
  /// Refuses the settings that a file holds where they are not those asked for.
  void require_same_settings(std::map<std::string, std::string> const& held) const;
  [[nodiscard]] bool is_of_channels() const { return record_.settings.contains(budget_setting); }
  /// The first line of results.csv.
  [[nodiscard]] std::string heading() const;
  [[nodiscard]] std::string csv_line(comparison_row const& row) const;
  /// Whether results.csv is there with the heading of this version and whole lines.
  [[nodiscard]] bool read_csv();
  /// Reads what is known of the rows and, unless there are any, the rows.
  void read_json(bool has_rows);
  void write_csv() const;
  void write_json() const;

  std::filesystem::path folder_;
  records_lock lock_;
  comparison_record record_;
  std::size_t rows_alone_ = 0;
  bool is_whole_ = false;  ///< results.csv, as this version writes it
};

/// Prints the rows that there are of these methods and sparsities: means and deviations over the seeds, and beneath them what needs words.
void print_comparison(comparison_record const& record, std::vector<pruning_method> const& methods,
                      std::vector<double> const& sparsities);

}  // namespace cli
