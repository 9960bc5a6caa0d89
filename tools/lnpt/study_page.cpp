#include "study_page.hpp"

#include <fmt/format.h>

#include <lnpt/io/file_ending.hpp>
#include <lnpt/io/number_text.hpp>

#include "chart.hpp"
#include "comparison_record.hpp"
#include "html_page.hpp"
#include "misuse.hpp"
#include "output_files.hpp"
#include "text.hpp"
#include "xml.hpp"

namespace cli {

namespace {

std::string table_of(text_table const& table) {
  auto const& lines = table.rows();
  auto html = opened_table("summary", lines.front());
  for (std::size_t i = 1; i < lines.size(); ++i) {
    html += "<tr>";
    for (auto const& each : lines[i]) html += cell(escaped(each));
    html += "</tr>\n";
  }
  return html + std::string(closed_table);
}

std::string table_of(study_file const& rows) {
  std::vector<std::string> headings;
  for (auto const name : split(rows.columns(), ',')) headings.emplace_back(name);
  auto html = opened_table("rows", headings);
  for (auto const& row : rows.rows()) {
    html += "<tr>";
    for (auto const& each : row) {
      auto const number = lnpt::io::number_in<double>(each);
      html += cell(number ? data(*number, fmt::format("{:.6g}", *number)) : escaped(each));
    }
    html += "</tr>\n";
  }
  return html + std::string(closed_table);
}

}  // namespace

void print(study_findings const& found) {
  if (found.table) found.table->print();
  for (auto const& verdict : found.verdicts) fmt::print("{}\n", verdict);
}

void draw(study_findings const& found, study_file const& rows) {
  if (!found.chart.empty()) write_atomically(rows.figure(), standalone_svg(found.chart));
}

void page_of_study::require_ending() const {
  if (!path.empty() && !lnpt::io::has_ending(path, ".html")) refuse("--report is a page and ends in .html, not as \"", path, '"');
}

void page_of_study::require_place() const { require_output({"--report", path, file_kind::page}, {}); }

void page_of_study::write(study_findings const& found, study_file const& rows, std::size_t left) const {
  if (path.empty()) return;
  auto const done = rows.rows().size();
  auto body = fmt::format("<h1>{}</h1>\n", escaped(title));
  body += left > 0 ? fmt::format(
                         "<p><strong>In progress: {} of {} rows are there.</strong> Load the page again for "
                         "more.</p>\n",
                         done, done + left)
                   : fmt::format("<p>{} rows.</p>\n", done);
  if (!found.chart.empty()) body += "<div class=\"figures\">\n<figure>\n" + found.chart + "</figure>\n</div>\n";
  if (found.table) body += "<h2>Summary</h2>\n" + table_of(*found.table);
  for (auto const& verdict : found.verdicts) body += "<p>" + escaped(verdict) + ".</p>\n";
  body += "<h2>Rows</h2>\n" + table_of(rows) + "<h2>Settings</h2>\n" + settings_table(rows.settings());
  write_atomically(path, html_page(title, body));
}

}  // namespace cli
