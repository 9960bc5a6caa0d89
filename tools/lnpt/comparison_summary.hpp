#pragma once
/// Rows of a comparison over their seeds.
#include <fmt/format.h>
#include <map>
#include <string>

#include "comparison_record.hpp"
#include "summary.hpp"

namespace cli {

/// All seeds of one criterion at one sparsity.
struct table_line {
  summary last, best, dead, seconds, epoch, stability;
  summary parameters, multiply_adds, milliseconds, milliseconds_before;  ///< where channels went; the first two: fractions left
  std::map<std::string, std::size_t> emptied;

  void add(comparison_row const& row) {
    last.add(row.last_accuracy);
    best.add(row.best_accuracy);
    dead.add(static_cast<double>(row.dead_layers));
    seconds.add(row.score_seconds);
    if (row.details.epoch_seconds > 0) epoch.add(row.details.epoch_seconds);
    for (auto const& name : row.details.emptied) ++emptied[name];
    if (row.details.stability) stability.add(*row.details.stability);
    if (row.details.size) add(*row.details.size);
  }
  void add(compared_size const& size) {
    auto const fraction = [](std::size_t part, std::size_t whole) {
      return static_cast<double>(part) / static_cast<double>(whole);
    };
    parameters.add(fraction(size.parameters, size.parameters_before));
    multiply_adds.add(fraction(size.multiply_adds, size.multiply_adds_before));
    milliseconds.add(size.milliseconds);
    milliseconds_before.add(size.milliseconds_before);
  }
};

/// The layers that were emptied, by name, with how often where it was not every time; empty where there are none.
[[nodiscard]] inline std::string emptied_names(table_line const& line) {
  std::string names;
  for (auto const& [name, times] : line.emptied) {
    names += (names.empty() ? "" : ", ") + name;
    if (times < line.last.count) names += fmt::format(" ({} of {} seeds)", times, line.last.count);
  }
  return names;
}

/// The seeds of one criterion at one sparsity.
[[nodiscard]] inline table_line line_of(comparison_record const& record, std::string const& criterion, double sparsity) {
  table_line line;
  for (auto const& row : record.rows)
    if (row.criterion == criterion && row.sparsity == sparsity) line.add(row);
  return line;
}

}  // namespace cli
