#pragma once
/// The rows of the study of merging, kept in a file that survives an interruption, and what they say.
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

/// A network of one seed under attacks of one distance. Counts are of samples that it decides as the whole network does unattacked.
struct merging_row {
  std::string method;  ///< whole, how units were merged, or which were removed
  std::uint64_t seed = 0;
  double epsilon = 0;
  std::size_t parameters = 0;
  double accuracy = 0;  ///< on all test images, without attack
  std::size_t samples = 0, agreeing = 0, fgsm = 0, pgd = 0;
};

inline constexpr char const *whole_method = "whole", *norm_method = "l1", *random_method = "random";

/// OUT/merging.csv and what it says.
class merging_results {
 public:
  /// Reads what is in the folder, of which the rows of other seeds than were asked for stay in the file alone. Refuses that of a study with other settings.
  merging_results(std::filesystem::path folder, std::map<std::string, std::string> settings, seed_range asked);

  [[nodiscard]] study_file const& file() const { return file_; }
  [[nodiscard]] study_file& file() { return file_; }
  [[nodiscard]] bool contains(std::string const& method, std::uint64_t seed, double epsilon) const;
  /// Writes a row that is not there yet to the disk before it returns.
  void add(merging_row const& row);

  [[nodiscard]] nlohmann::ordered_json json() const;
  /// A line per method, how much further merging is than one-shot L1, and decisions kept over the distance of FGSM.
  [[nodiscard]] study_findings findings() const;

 private:
  /// Rows of one method at one distance, one per seed.
  [[nodiscard]] std::vector<merging_row> of(std::string const& method, double epsilon) const;
  [[nodiscard]] text_table table() const;
  [[nodiscard]] std::vector<std::string> verdicts() const;
  [[nodiscard]] std::string chart() const;

  study_file file_;
  std::vector<merging_row> rows_;
};

}  // namespace cli
