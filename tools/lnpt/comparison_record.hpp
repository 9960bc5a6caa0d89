#pragma once
/// What a comparison knows, and how results.json holds it.
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace cli {

/// A student over its training, in a value per epoch. The first three series begin before training, accuracy after the first epoch.
struct student_course {
  std::vector<double> learning_gap;         ///< mean ‖m_t − m_s‖² over the test images, batch norm by each batch's statistics
  std::vector<double> distance;             ///< dᵀd between the prunable weights of teacher and student
  std::vector<double> distance_from_start;  ///< ‖θ_s − θ_s⁰‖², θ_s⁰ the pruned student before training
  std::vector<double> accuracy;
};

/// What costs passes of its own, before and after training; empty where it was not asked for.
struct asked_diagnostics {
  std::vector<double> linear_error;    ///< ‖J·d − Δm‖ / ‖Δm‖ before and after
  std::optional<double> kernel_drift;  ///< ‖s_t − s_0‖ / ‖s_0‖
};

/// A student that lost whole channels, beside the network it came from.
struct compared_size {
  std::size_t parameters = 0, multiply_adds = 0;
  std::size_t parameters_before = 0, multiply_adds_before = 0;
  double milliseconds = 0, milliseconds_before = 0;  ///< of the prediction of one image
};

/// What is known of a student beside its line of results.csv. Students of versions before this lack some of it.
struct student_details {
  std::vector<std::string> emptied = {};  ///< the dead layers by name
  std::vector<std::size_t> kept = {};     ///< weights left, in the order of the layers
  student_course course = {};
  std::optional<double> stability = {};        ///< what a mask from other scoring images, drawn alike, shares with this one
  std::map<std::string, double> overlap = {};  ///< what the masks of other criteria share with this one
  asked_diagnostics asked = {};
  double epoch_seconds = 0;                ///< of training, on the cpu engine without asking the teacher; 0: not known
  std::optional<compared_size> size = {};  ///< where channels went
};

/// The teacher of a seed.
struct compared_teacher {
  double accuracy = 0;
  double epoch_seconds = 0;  ///< of its training; 0: not known
};

/// One trained student.
struct comparison_row {
  std::string criterion;
  double sparsity = 0;
  std::uint64_t seed = 0;
  double last_accuracy = 0;
  double best_accuracy = 0;
  std::size_t dead_layers = 0;
  double score_seconds = 0;
  student_details details = {};
};

/// A prunable parameter of all students.
struct compared_layer {
  std::string name;
  std::size_t weights = 0;

  friend bool operator==(compared_layer const&, compared_layer const&) = default;
};

/// All that is known of a comparison.
struct comparison_record {
  std::map<std::string, std::string> settings = {};
  std::map<std::uint64_t, compared_teacher> teachers = {};  ///< by seed
  std::vector<compared_layer> layers = {};
  std::vector<comparison_row> rows = {};
};

/// Weight escape over a student's training, where it is known: analysis/weight_distance.hpp.
[[nodiscard]] std::optional<double> escape_of(student_course const& course);

/// The setting that says what of channels a sparsity counts, in a comparison of networks that lose whole channels.
inline constexpr char const* budget_setting = "budget";

/// Whether a row is of this student.
[[nodiscard]] inline bool is_of(comparison_row const& row, std::string const& criterion, double sparsity, std::uint64_t seed) {
  return row.criterion == criterion && row.sparsity == sparsity && row.seed == seed;
}

/// Whether one of the rows is of this student.
[[nodiscard]] inline bool contains(std::vector<comparison_row> const& rows, std::string const& criterion, double sparsity,
                                   std::uint64_t seed) {
  return std::ranges::any_of(rows, [&](auto const& row) { return is_of(row, criterion, sparsity, seed); });
}

/// Gives every row the one spelling of its criterion, and tells whether any had another. Of a student that versions before this held under
/// several spellings the first row stays.
[[nodiscard]] bool unite_spellings(std::vector<comparison_row>& rows);

[[nodiscard]] nlohmann::ordered_json to_json(comparison_record const& record);

/// The record in results.json. Files without a version are those of before students had details; refuses those of later versions.
[[nodiscard]] comparison_record read_comparison(std::filesystem::path const& path);

/// The JSON in a file; refuses a file that holds none.
[[nodiscard]] nlohmann::ordered_json read_json_file(std::filesystem::path const& path);

void write_atomically(std::filesystem::path const& path, std::string const& text);

}  // namespace cli
