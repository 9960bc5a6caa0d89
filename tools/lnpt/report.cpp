// lnpt report: the page of a comparison, made again from its results.
#include <filesystem>
#include <fmt/format.h>

#include <lnpt/io/file_ending.hpp>

#include "chart.hpp"
#include "command.hpp"
#include "comparison_record.hpp"
#include "figures.hpp"
#include "output_files.hpp"
#include "report_page.hpp"
#include "settings_difference.hpp"
#include "typed_flags.hpp"

namespace cli {

namespace {

struct report_options : common_options {
  static constexpr bool draws = false;
  static constexpr bool computes = false;
  static constexpr bool tells = false;
  std::vector<std::string> results;
  std::string out;
  std::string figure = "accuracy";
  typed_flags typed;
};

/// The results.json that a name stands for: itself, or the one in that folder.
std::filesystem::path results_file(std::string const& name) {
  std::filesystem::path const path = name;
  return std::filesystem::is_directory(path) ? path / "results.json" : path;
}

/// Refuses runs that differ in anything but what their students learn from.
void require_comparable(std::vector<comparison_record> const& runs, std::vector<std::string> const& names) {
  if (runs.size() > 2)
    refuse("there are ", runs.size(), " results: name one, or two of which one was trained --learn-from labels");
  if (runs.size() < 2) return;
  auto first = runs[0].settings;
  auto second = runs[1].settings;
  for (auto* const each : {&first, &second}) each->erase(learn_from_setting);
  if (auto const name = differing_setting(first, second))
    refuse(names[0], " and ", names[1], " differ in ",
           data_of_digest(*name)             ? "their images"
           : *name == network_digest_setting ? "their networks"
                                             : *name,
           ": name runs that differ in nothing but --learn-from");
  if (learns_from_labels(runs[0]) == learns_from_labels(runs[1]))
    refuse(names[0], " and ", names[1],
           " both learn from the same: name one, or two of which one was trained --learn-from labels");
}

std::string figure_named(std::string const& name, std::vector<comparison_record> const& runs) {
  std::string known;
  for (auto const& each : figures_of(runs)) {
    if (each.name == name) return standalone_svg(each.svg);
    known += (known.empty() ? "" : ", ") + each.name;
  }
  refuse("there is no figure \"", name, "\": choose from ", known.empty() ? "none, for there are no students yet" : known);
}

void describe(CLI::App& command, report_options& o) {
  o.typed = typed_flags(command);
  command.add_option("results", o.results, "The results.json of a comparison or its folder; two to set labels against none")
      ->required();
  command.add_option("--out", o.out, "The page, .html, or one figure of it, .svg")->required();
  command.add_option("--figure", o.figure, "Which figure an .svg shows; a wrong name lists them")->capture_default_str();
}

void run(report_options const& o) {
  auto const is_figure = lnpt::io::has_ending(o.out, ".svg");
  if (!is_figure && !lnpt::io::has_ending(o.out, ".html")) refuse("a report is written as .html or .svg, not as \"", o.out, '"');
  constexpr std::string_view of_figures[]{"--figure"};
  if (!is_figure)
    o.typed.refuse(of_figures,
                   " is for a figure alone, and " + o.out + " is a page of all: leave it out, or write --out to .svg");
  std::vector<named_file> read;
  for (auto const& name : o.results) read.push_back({"the results", results_file(name).string()});
  require_output({"--out", o.out, is_figure ? file_kind::plot : file_kind::page}, read);
  std::vector<comparison_record> runs;
  for (auto const& file : read) runs.push_back(read_comparison(file.path));
  require_comparable(runs, o.results);
  write_atomically(o.out, is_figure ? figure_named(o.figure, runs) : report_page(runs));
}

}  // namespace

void add_report(CLI::App& app) {
  add_command<report_options>(app,
                              {"report", "Make the page of a comparison again, or one figure of it",
                               "  lnpt report runs/first --out first.html\n"
                               "  lnpt report runs/first --figure accuracy --out accuracy.svg\n"
                               "  lnpt report runs/taught runs/labelled --out both.html"},
                              describe, run);
}

}  // namespace cli
