#pragma once
/// Rows of a comparison over their seeds.
#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <map>
#include <string>

#include "comparison_record.hpp"

namespace cli {

/// Mean and standard deviation of a few numbers.
struct summary {
  std::size_t count = 0;
  double sum = 0, squares = 0;
  double smallest = std::numeric_limits<double>::infinity(), largest = -smallest;

  void add(double x) {
    ++count;
    sum += x;
    squares += x * x;
    smallest = std::min(smallest, x);
    largest = std::max(largest, x);
  }
  [[nodiscard]] double mean() const { return sum / static_cast<double>(count); }
  [[nodiscard]] double deviation() const {
    auto const n = static_cast<double>(count);
    return std::sqrt(std::max(0.0, squares - sum * sum / n) / (n - 1));
  }
  /// As a percentage, with the deviation where there is one.
  [[nodiscard]] std::string percent() const {
    return count > 1 ? fmt::format("{:.1f} ± {:3.1f}", 100 * mean(), 100 * deviation()) : fmt::format("{:.1f}", 100 * mean());
  }
};

/// All seeds of one criterion at one sparsity.
struct table_line {
  summary last, best, dead, seconds, epoch, stability;
  std::map<std::string, std::size_t> emptied;

  void add(comparison_row const& row) {
    last.add(row.last_accuracy);
    best.add(row.best_accuracy);
    dead.add(static_cast<double>(row.dead_layers));
    seconds.add(row.score_seconds);
    if (row.details.epoch_seconds > 0) epoch.add(row.details.epoch_seconds);
    for (auto const& name : row.details.emptied) ++emptied[name];
    if (row.details.stability) stability.add(*row.details.stability);
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
