// The table that a comparison ends with.
#include <fmt/format.h>

#include "comparison.hpp"
#include "comparison_summary.hpp"
#include "figures.hpp"
#include "text_table.hpp"

namespace cli {

namespace {

void print_emptied(criterion_spec const& criterion, double sparsity, table_line const& line) {
  if (auto const names = emptied_names(line); !names.empty())
    fmt::print("{} at {:g} % emptied {}\n", criterion.text, 100 * sparsity, names);
}

void print_teachers(comparison_results const& results) {
  summary teachers;
  for (auto const& [seed, accuracy] : results.record().teachers) teachers.add(accuracy);
  if (teachers.count > 0) fmt::print("teacher, trained with labels: {} % accuracy\n\n", teachers.percent());
}

}  // namespace

void print_comparison(comparison_results const& results, std::vector<criterion_spec> const& criteria,
                      std::vector<double> const& sparsities) {
  print_teachers(results);
  text_table table({"criterion", "sparsity %", "last %", "best %", "layers emptied", "scoring s"});
  for (auto const sparsity : sparsities)
    for (auto const& criterion : criteria) {
      auto const line = line_of(results.record(), criterion.text, sparsity);
      if (line.last.count == 0) continue;
      table.add({criterion.text + (criterion.reads().labels ? " *" : ""), fmt::format("{:g}", 100 * sparsity),
                 line.last.percent(), line.best.percent(), fmt::format("{:.2g}", line.dead.mean()),
                 fmt::format("{:.2f}", line.seconds.mean())});
    }
  table.print();
  fmt::print("\n* reads labels when it scores; every student trains {} labels\n",
             learns_from_labels(results.record()) ? "with" : "without");
  for (auto const sparsity : sparsities)
    for (auto const& criterion : criteria)
      print_emptied(criterion, sparsity, line_of(results.record(), criterion.text, sparsity));
}

}  // namespace cli
