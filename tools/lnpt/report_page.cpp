#include "report_page.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>
#include <map>
#include <string_view>

#include "comparison_summary.hpp"
#include "criterion.hpp"
#include "figures.hpp"
#include "html_page.hpp"
#include "xml.hpp"

namespace cli {

namespace {

using runs_type = std::vector<comparison_record>;

/// A name that may go on in the next line where one of its parts ends.
std::string breakable(std::string const& name) {
  std::string html;
  for (auto const c : name) {
    html += escaped({&c, 1});
    if (c == ':' || c == '=' || c == '_') html += "<wbr/>";
  }
  return html;
}

/// Whether a criterion reads labels when it scores; one that this program does not know: no.
bool reads_labels(std::string const& criterion) {
  try {
    return parse_criterion(criterion).reads().labels;
  } catch (lnpt::error const&) {
    return false;
  }
}

std::string setting(comparison_record const& run, std::string const& name) {
  auto const found = run.settings.find(name);
  return found == run.settings.end() ? "?" : found->second;
}

std::string heading(runs_type const& runs, std::size_t planned) {
  auto const& run = runs.front();
  auto html = fmt::format("<h1>Pruning compared</h1>\n<p>{} on {}: {} training images, {} test images.</p>\n",
                          escaped(setting(run, "arch")), escaped(setting(run, "data")), escaped(setting(run, "train-images")),
                          escaped(setting(run, "test-images")));
  summary teachers;
  summary epoch;
  std::size_t students = 0;
  std::map<std::uint64_t, compared_teacher> by_seed;  // which runs that differ in --learn-from have in common
  for (auto const& each : runs) {
    students += each.rows.size();
    by_seed.insert(each.teachers.begin(), each.teachers.end());
  }
  for (auto const& [seed, teacher] : by_seed) {
    teachers.add(teacher.accuracy);
    if (teacher.epoch_seconds > 0) epoch.add(teacher.epoch_seconds);
  }
  if (teachers.count > 0)
    html += fmt::format("<p>Teacher, trained with labels: {} % accuracy{}.</p>\n", teachers.percent(),
                        epoch.count > 0 ? fmt::format("; an epoch took {:.2f} s", epoch.mean()) : "");
  return html +
         (planned > students
              ? fmt::format("<p><strong>In progress: {} of {} students are trained.</strong> Load the page again for more.</p>\n",
                            students, planned)
              : fmt::format("<p>{} students.</p>\n", students));
}

std::string summary_table(runs_type const& runs) {
  bool const both = runs.size() > 1;
  std::vector<std::string> headings{"criterion",      ratio_words(runs) + ", %",        "last accuracy, %", "best accuracy, %",
                                    "layers emptied", "same mask from other images, %", "scoring, s",       "an epoch, s",
                                    "seeds"};
  if (both) headings.insert(headings.begin() + 1, "trained with");
  bool const channels = runs.front().settings.contains(budget_setting);
  if (channels) headings.insert(headings.end(), {"parameters left, %", "multiply-adds left, %", "ms for one image"});
  auto html = opened_table("summary", headings);
  for (auto const sparsity : sparsities_of(runs))
    for (auto const& criterion : criteria_of(runs))
      for (auto const& run : runs) {
        auto const line = line_of(run, criterion, sparsity);
        if (line.last.count == 0) continue;
        html += "<tr>" + cell(breakable(criterion) + (reads_labels(criterion) ? " *" : ""));
        if (both) html += cell(learns_from_labels(run) ? "labels" : "teacher");
        html += cell(fmt::format("{:g}", 100 * sparsity)) + cell(line.last.percent()) + cell(line.best.percent()) +
                cell(fmt::format("{:.2g}", line.dead.mean())) + cell(line.stability.count > 0 ? line.stability.percent() : "–") +
                cell(fmt::format("{:.2f}", line.seconds.mean())) +
                cell(line.epoch.count > 0 ? fmt::format("{:.2f}", line.epoch.mean()) : "–") +
                cell(std::to_string(line.last.count));
        if (channels)
          html += cell(line.parameters.percent()) + cell(line.multiply_adds.percent()) + cell(line.milliseconds.text());
        html += "</tr>\n";
      }
  return html + std::string(closed_table) +
         "<p>Means, with the standard deviation over seeds. * reads labels when it scores. Other images are scoring images drawn "
         "in the same way; criteria that read none have no such mask." +
         (samples_by_labels(runs.front()) ? " Scoring images were chosen by their labels." : "") + "</p>\n";
}

std::string overlap_tables(comparison_record const& run) {
  std::string html;
  for (auto const& table : overlaps_of(run)) {
    html += fmt::format("<h2>Weights that masks share, {:g} % {}</h2>\n", 100 * table.sparsity, ratio_words({run}));
    std::vector<std::string> headings{"criterion"};
    for (std::size_t i = 0; i < table.criteria.size(); ++i) headings.push_back(std::to_string(i + 1));
    html += opened_table(fmt::format("overlap-{:g}", 100 * table.sparsity), headings);
    for (std::size_t i = 0; i < table.criteria.size(); ++i) {
      html += fmt::format("<tr><td>{} {}</td>", i + 1, breakable(table.criteria[i]));
      for (auto const shared : table.shared[i])
        html += std::isfinite(shared)
                    ? fmt::format("<td class=\"shade\" style=\"--share:{:.2f}\">{:.0f}</td>", 0.55 * shared, 100 * shared)
                    : std::string("<td>–</td>");
      html += "</tr>\n";
    }
    html += std::string(closed_table) +
            (run.settings.contains(budget_setting)
                 ? std::string("<p>In % of the weights that are kept.</p>\n")
                 : fmt::format("<p>In % of the weights that are kept; two masks drawn at random share about {:.2g}.</p>\n",
                               100 * (1 - table.sparsity)));
  }
  return html;
}

double last_of(std::vector<double> const& series) { return series.empty() ? std::nan("") : series.back(); }

std::string students_table(runs_type const& runs) {
  bool const asked = std::ranges::any_of(runs, [](auto const& run) {
    return std::ranges::any_of(
        run.rows, [](auto const& row) { return row.details.asked.kernel_drift || !row.details.asked.linear_error.empty(); });
  });
  std::vector<std::string> headings{"criterion",
                                    ratio_words(runs) + ", %",
                                    "seed",
                                    "last accuracy, %",
                                    "best accuracy, %",
                                    "layers emptied",
                                    "scoring, s",
                                    "an epoch, s",
                                    "learning gap at last",
                                    "dᵀd at last",
                                    "weight escape, %"};
  if (asked) headings.insert(headings.end(), {"error of J·d before", "and after", "drift of the kernel"});
  auto html = opened_table("students", headings);
  for (auto const& run : runs)
    for (auto const& row : run.rows) {
      auto const& course = row.details.course;
      auto const& error = row.details.asked.linear_error;
      auto const epoch = row.details.epoch_seconds;
      auto const percent = [](double v) { return data(v, fmt::format("{:.1f}", 100 * v)); };
      auto const number = [](double v) { return data(v, fmt::format("{:.3g}", v)); };
      html += "<tr>" + cell(breakable(row.criterion)) + cell(data(row.sparsity, fmt::format("{:g}", 100 * row.sparsity))) +
              cell(fmt::format("<data value=\"{0}\">{0}</data>", row.seed)) + cell(percent(row.last_accuracy)) +
              cell(percent(row.best_accuracy)) + cell(fmt::format("<data value=\"{0}\">{0}</data>", row.dead_layers)) +
              cell(number(row.score_seconds)) + cell(epoch > 0 ? number(epoch) : "–") +
              cell(number(last_of(course.learning_gap))) + cell(number(last_of(course.distance))) +
              cell(percent(escape_of(course).value_or(std::nan(""))));
      if (asked)
        html += cell(error.empty() ? "–" : number(error.front())) + cell(number(last_of(error))) +
                cell(number(row.details.asked.kernel_drift.value_or(std::nan(""))));
      html += "</tr>\n";
    }
  return html + std::string(closed_table);
}

std::string emptied_list(runs_type const& runs) {
  std::string html;
  for (auto const sparsity : sparsities_of(runs))
    for (auto const& criterion : criteria_of(runs)) {
      auto const names = emptied_names(line_of(runs.front(), criterion, sparsity));
      if (!names.empty())
        html += fmt::format("<p>{} at {:g} % emptied {}.</p>\n", escaped(criterion), 100 * sparsity, escaped(names));
    }
  return html;
}

std::string figure_groups(runs_type const& runs) {
  std::string html;
  std::string group;
  for (auto const& each : figures_of(runs)) {
    if (each.group != group)
      html += (group.empty() ? "" : "</div>\n") + fmt::format("<h2>{}</h2>\n<div class=\"figures\">\n", escaped(each.group));
    group = each.group;
    html += "<figure>\n" + each.svg + "<figcaption>" + escaped(each.caption) + "</figcaption>\n</figure>\n";
  }
  return html + "</div>\n";
}

/// The settings that the runs have in common.
std::map<std::string, std::string> common_settings(runs_type const& runs) {
  auto settings = runs.front().settings;
  if (runs.size() > 1) settings[learn_from_setting] = "both";
  return settings;
}

}  // namespace

std::string report_page(runs_type const& runs, std::size_t planned) {
  auto const& run = runs.front();
  auto body = heading(runs, planned);
  if (!criteria_of(runs).empty()) {
    body += figure_groups(runs) + "<h2>Summary</h2>\n" + summary_table(runs) + emptied_list(runs) + overlap_tables(runs.front()) +
            "<h2>Students</h2>\n" + students_table(runs);
  }
  body += "<h2>Settings</h2>\n" + settings_table(common_settings(runs));
  return html_page(setting(run, "arch") + " on " + setting(run, "data"), body);
}

}  // namespace cli
