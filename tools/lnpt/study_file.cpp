#include "study_file.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "comparison_record.hpp"
#include "misuse.hpp"
#include "output_files.hpp"
#include "settings_difference.hpp"
#include "text.hpp"

namespace cli {

study_file::study_file(std::filesystem::path folder, std::string_view name, std::string_view columns,
                       std::map<std::string, std::string> settings)
    : folder_(std::move(folder)),
      path_(folder_ / (std::string(name) + ".csv")),
      lock_(folder_ / (std::string(name) + ".lock")),
      columns_(columns),
      settings_(std::move(settings)) {
  require_output_folder("--out", folder_);
  if (std::filesystem::exists(figure())) require_output({"the figure of the study", figure().string(), file_kind::plot}, {});
  if (!std::filesystem::exists(path_)) return;
  lock_.take();  // before the rows are read, to which another process could add
  std::ifstream file(path_);
  std::string line;
  std::getline(file, line);
  require_same_settings(line);
  std::getline(file, line);
  if (line != columns_) lnpt::fail(path_, " has the columns \"", line, "\" and not ", columns_, ": give another --out");
  while (std::getline(file, line)) {
    if (file.eof())
      lnpt::fail(path_, " ends in the middle of the line \"", line, "\": remove that line, and its row is made again");
    auto const cells = split(line, ',');
    if (cells.size() != split(columns_, ',').size())
      lnpt::fail(path_, " holds the line \"", line, "\", and a row has the cells ", columns_,
                 ": remove that line, and its row is made again");
    rows_.emplace_back(cells.begin(), cells.end());
  }
}

void study_file::require_same_settings(std::string const& held) const {
  auto const before = nlohmann::json::parse(held.starts_with("# ") ? held.substr(2) : "", nullptr, false);
  if (!before.is_object())
    lnpt::fail(path_, " does not begin with the settings of a study: restore its first line, or give another --out");
  run_settings begun;
  for (auto const& [name, value] : before.items())
    if (settings_.contains(name) && value.is_string()) begun[name] = value;
  if (auto const words = difference_in_words(begun, settings_))
    refuse(path_.string(), " holds a study begun ", *words,
           ": give the settings and the data it was begun with, or another --out");
}

void study_file::make_folder() {
  std::error_code problem;
  std::filesystem::create_directories(folder_, problem);
  if (problem) lnpt::fail("creating ", folder_, " failed (", problem.message(), "): choose an --out that can be written");
  if (lock_.is_taken()) return;
  lock_.take();
  if (std::filesystem::exists(path_))
    lnpt::fail(path_, " was begun by another lnpt meanwhile: give the command again, which goes on from there");
}

void study_file::add(row cells) {
  rows_.push_back(std::move(cells));
  auto text = "# " + nlohmann::json(settings_).dump() + '\n' + columns_ + '\n';
  for (auto const& each : rows_) text += fmt::format("{}\n", fmt::join(each, ","));
  write_atomically(path_, text);
}

}  // namespace cli
