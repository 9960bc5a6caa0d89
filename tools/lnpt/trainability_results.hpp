#pragma once
/// The rows of the study of trainability, kept in a file that survives an interruption, and what they say.
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
  /// Reads what is in the folder, of which the rows of other seeds than were asked for stay in the file alone. Refuses that of a study with other settings.
  trainability_results(std::filesystem::path folder, std::map<std::string, std::string> settings, seed_range asked);

  [[nodiscard]] study_file const& file() const { return file_; }
  [[nodiscard]] study_file& file() { return file_; }
  [[nodiscard]] bool contains(std::string const& method, double removed, double rate, std::uint64_t seed) const;
  /// Writes a row that is not there yet to the disk before it returns.
  void add(trainability_row const& row);

  [[nodiscard]] nlohmann::ordered_json json() const;
  /// A line per method and fraction, whether TPP is above its rivals, and accuracy over removed filters, mean and range of the seeds.
  [[nodiscard]] study_findings findings() const;

 private:
  /// Rows of one cell of the table, one per seed.
  [[nodiscard]] std::vector<trainability_row> of(std::string const& method, double removed, double rate) const;
  [[nodiscard]] text_table table() const;
  [[nodiscard]] std::vector<std::string> verdicts() const;
  [[nodiscard]] std::string chart() const;

  study_file file_;
  std::vector<trainability_row> rows_;
};

}  // namespace cli
