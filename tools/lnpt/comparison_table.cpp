// The table that a comparison ends with.
#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "comparison.hpp"
#include "comparison_summary.hpp"
#include "figures.hpp"
#include "text_table.hpp"

namespace cli {

namespace {

void print_emptied(pruning_method const& method, double sparsity, table_line const& line) {
  if (auto const names = emptied_names(line); !names.empty())
    fmt::print("{} at {:g} % emptied {}\n", method.text, 100 * sparsity, names);
}

void print_teachers(comparison_record const& record) {
  summary accuracy;
  for (auto const& [seed, teacher] : record.teachers) accuracy.add(teacher.accuracy);
  if (accuracy.count > 0) fmt::print("teacher, trained with labels: {} % accuracy\n\n", accuracy.percent());
}

/// How long epochs took, which depends on how much is kept more than on what.
void print_epochs(comparison_record const& record, std::vector<pruning_method> const& methods,
                  std::vector<double> const& sparsities) {
  std::vector<std::string> parts;
  auto const add = [&](std::string const& who, summary const& seconds) {
    if (seconds.count > 0) parts.push_back(fmt::format("{} {:.2f}", who, seconds.mean()));
  };
  summary teacher;
  for (auto const& [seed, each] : record.teachers)
    if (each.epoch_seconds > 0) teacher.add(each.epoch_seconds);
  add("teacher", teacher);
  for (auto const sparsity : sparsities) {
    summary students;
    for (auto const& method : methods)
      for (auto const& row : record.rows)
        if (row.criterion == method.text && row.sparsity == sparsity && row.details.epoch_seconds > 0)
          students.add(row.details.epoch_seconds);
    add(fmt::format("students at {:g} %", 100 * sparsity), students);
  }
  if (!parts.empty()) fmt::print("seconds per epoch: {}\n", fmt::join(parts, ", "));
}

/// Students that lost whole channels, and what is left of their network.
void print_sizes(comparison_record const& record, std::vector<pruning_method> const& methods,
                 std::vector<double> const& sparsities) {
  text_table table({"criterion", "removed %", "last %", "parameters left %", "multiply-adds left %", "ms for one image",
                    "dense ms", "scoring s"});
  for (auto const sparsity : sparsities)
    for (auto const& method : methods) {
      auto const line = line_of(record, method.text, sparsity);
      if (line.last.count == 0) continue;
      table.add({method.text + (method.reads_labels() ? " *" : ""), fmt::format("{:g}", 100 * sparsity), line.last.percent(),
                 line.parameters.percent(), line.multiply_adds.percent(), line.milliseconds.text(),
                 line.milliseconds_before.text(), fmt::format("{:.2f}", line.seconds.mean())});
    }
  table.print();
}

void print_weights(comparison_record const& record, std::vector<pruning_method> const& methods,
                   std::vector<double> const& sparsities) {
  text_table table({"criterion", "sparsity %", "last %", "best %", "layers emptied", "scoring s"});
  for (auto const sparsity : sparsities)
    for (auto const& method : methods) {
      auto const line = line_of(record, method.text, sparsity);
      if (line.last.count == 0) continue;
      table.add({method.text + (method.reads_labels() ? " *" : ""), fmt::format("{:g}", 100 * sparsity), line.last.percent(),
                 line.best.percent(), fmt::format("{:.2g}", line.dead.mean()), fmt::format("{:.2f}", line.seconds.mean())});
    }
  table.print();
}

}  // namespace

void print_comparison(comparison_record const& record, std::vector<pruning_method> const& methods,
                      std::vector<double> const& sparsities) {
  print_teachers(record);
  if (record.settings.contains(budget_setting))
    print_sizes(record, methods, sparsities);
  else
    print_weights(record, methods, sparsities);
  auto const starred = std::ranges::any_of(methods, [](auto const& each) { return each.reads_labels(); });
  fmt::print("\n{}every student trains {} labels\n", starred ? "* reads labels when it scores; " : "",
             learns_from_labels(record) ? "with" : "without");
  if (samples_by_labels(record)) fmt::print("the images that criteria score on were chosen by their labels\n");
  for (auto const sparsity : sparsities)
    for (auto const& method : methods) print_emptied(method, sparsity, line_of(record, method.text, sparsity));
  print_epochs(record, methods, sparsities);
}

}  // namespace cli
