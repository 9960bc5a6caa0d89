// The table that a comparison ends with.
#include <cmath>
#include <fmt/format.h>
#include <map>

#include "comparison.hpp"
#include "text_table.hpp"

namespace cli {

namespace {

/// Mean and standard deviation of a few numbers.
struct summary {
  std::size_t count = 0;
  double sum = 0, squares = 0;

  void add(double x) {
    ++count;
    sum += x;
    squares += x * x;
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
  summary last, best, dead, seconds;
  std::map<std::string, std::size_t> emptied;

  void add(comparison_row const& row) {
    last.add(row.last_accuracy);
    best.add(row.best_accuracy);
    dead.add(static_cast<double>(row.dead_layers));
    seconds.add(row.score_seconds);
    for (auto const& name : row.emptied) ++emptied[name];
  }
};

table_line line_of(comparison_results const& results, std::string const& criterion, double sparsity) {
  table_line line;
  for (auto const& row : results.rows())
    if (row.criterion == criterion && row.sparsity == sparsity) line.add(row);
  return line;
}

void print_emptied(criterion_spec const& criterion, double sparsity, table_line const& line) {
  if (line.emptied.empty()) return;
  std::string names;
  for (auto const& [name, times] : line.emptied) {
    names += (names.empty() ? "" : ", ") + name;
    if (times < line.last.count) names += fmt::format(" ({} of {} seeds)", times, line.last.count);
  }
  fmt::print("{} at {:g} % emptied {}\n", criterion.text, 100 * sparsity, names);
}

void print_teachers(comparison_results const& results) {
  summary teachers;
  for (auto const& [seed, accuracy] : results.teachers()) teachers.add(accuracy);
  if (teachers.count > 0) fmt::print("teacher, trained with labels: {} % accuracy\n\n", teachers.percent());
}

}  // namespace

void print_comparison(comparison_results const& results, std::vector<criterion_spec> const& criteria,
                      std::vector<double> const& sparsities) {
  print_teachers(results);
  text_table table({"criterion", "sparsity %", "last %", "best %", "layers emptied", "scoring s"});
  for (auto const sparsity : sparsities)
    for (auto const& criterion : criteria) {
      auto const line = line_of(results, criterion.text, sparsity);
      if (line.last.count == 0) continue;
      table.add({criterion.text + (criterion.reads().labels ? " *" : ""), fmt::format("{:g}", 100 * sparsity),
                 line.last.percent(), line.best.percent(), fmt::format("{:.2g}", line.dead.mean()),
                 fmt::format("{:.2f}", line.seconds.mean())});
    }
  table.print();
  fmt::print("\n* reads labels when it scores; every student trains {}\n",
             results.settings().contains(learn_from_setting) ? "with labels" : "without labels");
  for (auto const sparsity : sparsities)
    for (auto const& criterion : criteria) print_emptied(criterion, sparsity, line_of(results, criterion.text, sparsity));
}

}  // namespace cli
