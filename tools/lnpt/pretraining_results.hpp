#pragma once
/// The rows of the study of pre-training, kept in a file that survives an interruption, and what they say.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "study_file.hpp"

namespace cli {

/// A network of one arm after so many removals, each followed by fine-tuning.
struct study_row {
  std::string arm;  ///< scratch or pretrained
  std::uint64_t seed = 0;
  std::size_t step = 0;  ///< 0: before anything was removed
  double accuracy = 0;
  std::size_t parameters = 0, multiply_adds = 0;
};

inline constexpr char const *scratch_arm = "scratch", *pretrained_arm = "pretrained";

/// OUT/pretraining.csv and what it says.
class pretraining_results {
 public:
  /// Opens the folder, made where it is missing, and reads what is there. Refuses that of a study with other settings.
  pretraining_results(std::filesystem::path folder, std::map<std::string, std::string> settings);

  [[nodiscard]] std::filesystem::path const& folder() const { return folder_; }
  [[nodiscard]] std::map<std::string, std::string> const& settings() const { return file_.settings(); }
  /// Writes a row that is not there yet to the disk before it returns.
  void add(study_row const& row);
  /// The rows of one run, in order.
  [[nodiscard]] std::vector<study_row> of(std::string const& arm, std::uint64_t seed) const;
  [[nodiscard]] std::vector<std::uint64_t> seeds() const;
  /// R_δ: the largest fraction of the parameters that went at a loss of accuracy of at most δ.
  [[nodiscard]] double removable(std::string const& arm, std::uint64_t seed, double delta) const;
  [[nodiscard]] nlohmann::ordered_json json(double delta) const;
  /// Accuracy over removed parameters, both arms, mean and range of the seeds, as OUT/pretraining.svg.
  void plot() const;
  void print(double delta) const;

 private:
  /// The seeds of which both arms are there as far as the other.
  [[nodiscard]] std::vector<std::uint64_t> whole_seeds() const;

  std::filesystem::path folder_;
  study_file file_;
  std::vector<study_row> rows_;
};

}  // namespace cli
