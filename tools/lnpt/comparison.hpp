#pragma once
/// The results of a comparison: a row per student, kept in files that survive an interruption.
#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "criterion.hpp"

namespace cli {

/// The setting that says what students learn from, where that is not the teacher.
inline constexpr char const* learn_from_setting = "learn-from";

/// One trained student.
struct comparison_row {
  std::string criterion;
  double sparsity = 0;
  std::uint64_t seed = 0;
  double last_accuracy = 0;
  double best_accuracy = 0;
  std::size_t dead_layers = 0;
  double score_seconds = 0;
  std::vector<std::string> emptied = {};  ///< the dead layers by name; kept in results.json only
};

/// The rows of a folder: results.csv grows by a line per student, results.json holds all that is known, manifest.json the settings.
class comparison_results {
 public:
  /// Opens the folder, made where it is missing, and reads the rows in it. Refuses a folder of a run with other settings.
  comparison_results(std::filesystem::path folder, std::map<std::string, std::string> settings);

  [[nodiscard]] std::filesystem::path const& folder() const { return folder_; }
  [[nodiscard]] std::map<std::string, std::string> const& settings() const { return settings_; }
  [[nodiscard]] std::vector<comparison_row> const& rows() const { return rows_; }
  [[nodiscard]] bool contains(std::string const& criterion, double sparsity, std::uint64_t seed) const;

  void set_teacher_accuracy(std::uint64_t seed, double accuracy);
  [[nodiscard]] std::map<std::uint64_t, double> const& teachers() const { return teachers_; }

  /// Writes the row to the disk before it returns.
  void add(comparison_row row);

  [[nodiscard]] nlohmann::ordered_json json() const;

 private:
  void require_same_settings() const;
  void read_csv();
  void read_json();
  void write_csv() const;
  void write_json() const;

  std::filesystem::path folder_;
  std::map<std::string, std::string> settings_;
  std::map<std::uint64_t, double> teachers_;
  std::vector<comparison_row> rows_;
};

/// Prints the rows of these criteria and sparsities: means and deviations over the seeds, and beneath them what needs words.
void print_comparison(comparison_results const& results, std::vector<criterion_spec> const& criteria,
                      std::vector<double> const& sparsities);

}  // namespace cli
