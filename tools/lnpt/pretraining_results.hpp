#pragma once
/// The rows of the study of pre-training, kept in a file that survives an interruption, and what they say.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "seeds.hpp"
#include "study_file.hpp"
#include "study_page.hpp"

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
  /// Reads what is in the folder, of which the rows of other seeds than were asked for stay in the file alone. Refuses that of a study with other settings.
  pretraining_results(std::filesystem::path folder, std::map<std::string, std::string> settings, seed_range asked);

  [[nodiscard]] study_file const& file() const { return file_; }
  [[nodiscard]] study_file& file() { return file_; }
  /// Writes a row that is not there yet to the disk before it returns.
  void add(study_row const& row);
  /// The rows of one run, in order.
  [[nodiscard]] std::vector<study_row> of(std::string const& arm, std::uint64_t seed) const;
  [[nodiscard]] std::vector<std::uint64_t> seeds() const;
  /// R_δ: the largest fraction of the parameters that went at a loss of accuracy of at most δ.
  [[nodiscard]] double removable(std::string const& arm, std::uint64_t seed, double delta) const;
  [[nodiscard]] nlohmann::ordered_json json(double delta) const;
  /// A line per step, R_δ of both arms, and accuracy over removed parameters, mean and range of the seeds.
  [[nodiscard]] study_findings findings(double delta) const;

 private:
  /// The seeds of which both arms are there as far as the other.
  [[nodiscard]] std::vector<std::uint64_t> whole_seeds() const;
  [[nodiscard]] text_table table() const;
  [[nodiscard]] std::string chart() const;

  study_file file_;
  std::vector<study_row> rows_;
};

}  // namespace cli
