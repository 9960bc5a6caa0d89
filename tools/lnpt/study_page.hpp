#pragma once
/// What a study found, in the terminal, as a figure and as a page for a browser.
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "study_file.hpp"
#include "text_table.hpp"

namespace cli {

/// What the rows so far come to.
struct study_findings {
  std::optional<text_table> table = std::nullopt;  ///< none before there is a line of it
  std::vector<std::string> verdicts = {};          ///< sentences beneath it
  std::string chart = {};                          ///< empty: too few rows to draw
};

/// Prints the table and the sentences.
void print(study_findings const& found);

/// Writes the chart, if there is one, as the figure beside the rows.
void draw(study_findings const& found, study_file const& rows);

/// Where the page of a study goes, and what it says beside its findings.
struct page_of_study {
  std::string path;  ///< empty: nowhere
  std::string title;

  /// Refuses a path that is no page's.
  void require_ending() const;
  /// Refuses a path that takes no page; once the folder of the study is there, in which it may lie.
  void require_place() const;
  /// Writes the page, every number of whose rows is an element <data> with the value of the CSV file. `left`: how many rows are to come.
  void write(study_findings const& found, study_file const& rows, std::size_t left) const;
};

/// The help of --report of a study.
inline constexpr char const* report_help =
    "A page of the table, the figure and all rows for a browser, .html, written anew after every row";

}  // namespace cli
