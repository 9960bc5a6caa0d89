#pragma once
/// The rows of the study of trainability, kept in a file that survives an interruption, and what they say.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "study_file.hpp"

namespace cli {

/// A network of one seed: the dense one, or one that lost filters and was trained again.
struct trainability_row {
  std::string method;  ///< dense, tpp, l1 or scratch
  double removed = 0;  ///< of the inner filters
  double rate = 0;     ///< first learning rate of the training that followed; 0: none did
  std::uint64_t seed = 0;
  double accuracy_before = 0;  ///< without that training
  double accuracy = 0;
  std::size_t parameters = 0, multiply_adds = 0;
  double jacobian_mean = 0, jacobian_condition = 0;  ///< of the singular values of ∂logits/∂input, without that training
};

inline constexpr char const* dense_method = "dense";

/// OUT/trainability.csv and what it says.
class trainability_results {
 public:
  /// Opens the folder, made where it is missing, and reads what is there. Refuses that of a study with other settings.
  trainability_results(std::filesystem::path folder, std::map<std::string, std::string> settings);

  [[nodiscard]] std::filesystem::path const& folder() const { return folder_; }
  [[nodiscard]] std::map<std::string, std::string> const& settings() const { return file_.settings(); }
  [[nodiscard]] bool contains(std::string const& method, double removed, double rate, std::uint64_t seed) const;
  /// Writes a row that is not there yet to the disk before it returns.
  void add(trainability_row const& row);

  [[nodiscard]] nlohmann::ordered_json json() const;
  /// Accuracy over removed filters, a line per method and rate, mean and range of the seeds, as OUT/trainability.svg.
  void plot() const;
  void print() const;

 private:
  /// Rows of one cell of the table, one per seed.
  [[nodiscard]] std::vector<trainability_row> of(std::string const& method, double removed, double rate) const;
  void print_verdicts() const;

  std::filesystem::path folder_;
  study_file file_;
  std::vector<trainability_row> rows_;
};

}  // namespace cli
