#include "comparison.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <fstream>
#include <string_view>

#include "engine_setting.hpp"

namespace cli {

namespace {

constexpr std::string_view columns = "criterion,sparsity,seed,last_accuracy,best_accuracy,dead_layers,score_seconds";
/// What follows where whole channels went: what the sparsity counts, and the sizes of both networks.
constexpr std::string_view columns_of_channels =
    ",budget,parameters_before,parameters,multiply_adds_before,multiply_adds,milliseconds_before,milliseconds";

/// The row of a line; what results.json holds, too, is read from there.
comparison_row parse_row(std::filesystem::path const& path, std::string_view heading, std::string const& line) {
  auto const cells = split(line, ',');
  if (cells.size() != split(heading, ',').size())
    lnpt::fail(path, " holds the line \"", line, "\": a row has the cells ", heading);
  auto const number = [&]<class Number>(std::size_t cell, Number) {
    return parse_number<Number>("cell of results.csv", cells[cell]);
  };
  comparison_row const row{std::string(cells[0]),    number(1, 0.0), number(2, std::uint64_t{}), number(3, 0.0), number(4, 0.0),
                           number(5, std::size_t{}), number(6, 0.0)};
  auto const is_share = [](double x) { return x >= 0 && x <= 1; };
  if (!is_share(row.sparsity) || !is_share(row.last_accuracy) || !is_share(row.best_accuracy))
    lnpt::fail(path, " holds the line \"", line,
               "\", with a sparsity or an accuracy outside [0, 1]: remove that line, or choose another --out");
  return row;
}

}  // namespace

comparison_results::comparison_results(std::filesystem::path folder, std::map<std::string, std::string> settings)
    : folder_(std::move(folder)), record_{.settings = std::move(settings)} {
  if (std::filesystem::exists(folder_ / "manifest.json")) require_same_settings();
  is_whole_ = read_csv();
  read_json();
}

void comparison_results::begin() const {
  std::error_code problem;
  std::filesystem::create_directories(folder_, problem);
  if (problem) lnpt::fail("creating ", folder_, " failed (", problem.message(), "): choose an --out that can be written");
  if (!std::filesystem::exists(folder_ / "manifest.json"))
    write_atomically(folder_ / "manifest.json", nlohmann::json(record_.settings).dump(2) + "\n");
  if (!is_whole_) write_csv();
  if (!record_.rows.empty()) write_json();  // of which rows may have been lost
}

std::string comparison_results::heading() const {
  return std::string(columns) + std::string(is_of_channels() ? columns_of_channels : "");
}

std::string comparison_results::csv_line(comparison_row const& row) const {
  auto line =
      fmt::format("{},{},{},{},{},{},{}", row.criterion, shortest_text(row.sparsity), row.seed, shortest_text(row.last_accuracy),
                  shortest_text(row.best_accuracy), row.dead_layers, shortest_text(row.score_seconds));
  if (is_of_channels()) {
    line += ',' + record_.settings.at(budget_setting);
    if (auto const& size = row.details.size)
      line += fmt::format(",{},{},{},{},{},{}", size->parameters_before, size->parameters, size->multiply_adds_before,
                          size->multiply_adds, shortest_text(size->milliseconds_before), shortest_text(size->milliseconds));
    else
      line += ",,,,,,";
  }
  return line + '\n';
}

void comparison_results::require_same_settings() const {
  auto const path = folder_ / "manifest.json";
  auto const shown = [](std::string const& value) { return value.empty() ? std::string("none") : value; };
  auto const held = read_json_file(path);
  auto const is_text = [](auto const& value) { return value.is_string(); };
  if (!held.is_object() || !std::all_of(held.begin(), held.end(), is_text))
    lnpt::fail(path, " is not as lnpt wrote it, a text for each setting: restore it, or choose another --out");
  auto asked = record_.settings;
  for (auto const& each : held.items()) asked.emplace(each.key(), unsaid(each.key()));  // said before and not now
  for (auto const& [name, value] : asked) {
    if (!held.contains(name) && may_go_unsaid(name, value)) continue;
    auto const before = held.value(name, unsaid(name));
    if (before != value)
      refuse(folder_, " holds a comparison with ", name, ' ', shown(before), " and not ", shown(value),
             ": give the same settings to continue it, or another --out");
  }
}

bool comparison_results::read_csv() {
  auto const path = folder_ / "results.csv";
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) return false;
  auto const first = line;
  if (first != heading() && first != columns)  // which earlier versions wrote for channels, too
    lnpt::fail(path, " does not begin with ", heading(), ": restore it, or choose another --out");
  auto whole = !file.eof();
  while (std::getline(file, line)) {
    whole = !file.eof();  // the last line of an interrupted run may be cut short
    if (!whole) break;
    auto row = parse_row(path, first, line);
    if (contains(row.criterion, row.sparsity, row.seed))  // as two runs at once would leave it
      lnpt::fail(path, " holds two rows of ", row.criterion, " at ", row.sparsity, " of seed ", row.seed, ": remove one");
    record_.rows.push_back(std::move(row));
  }
  return whole && first == heading();
}

void comparison_results::read_json() {
  auto const path = folder_ / "results.json";
  if (!std::filesystem::exists(path)) return;
  auto before = read_comparison(path);
  record_.teachers = std::move(before.teachers);
  record_.layers = std::move(before.layers);
  for (auto& each : before.rows)
    for (auto& row : record_.rows)
      if (is_of(row, each.criterion, each.sparsity, each.seed)) row.details = std::move(each.details);
}

bool comparison_results::contains(std::string const& criterion, double sparsity, std::uint64_t seed) const {
  return std::ranges::any_of(record_.rows, [&](auto const& row) { return is_of(row, criterion, sparsity, seed); });
}

void comparison_results::set_teacher(std::uint64_t seed, double accuracy, double epoch_seconds) {
  auto& teacher = record_.teachers[seed];
  teacher.accuracy = accuracy;
  if (epoch_seconds > 0) teacher.epoch_seconds = epoch_seconds;
}

void comparison_results::set_layers(std::vector<compared_layer> layers) {
  if (!record_.layers.empty() && record_.layers != layers)
    lnpt::fail(folder_, " holds students of a network with other layers than this one: choose another --out");
  record_.layers = std::move(layers);
}

void comparison_results::add(comparison_row row) {
  record_.rows.push_back(std::move(row));
  write_json();  // first, so that every row of the other file has its names here
  auto const path = folder_ / "results.csv";
  std::ofstream file(path, std::ios::app);
  if (!(file << csv_line(record_.rows.back()) << std::flush))
    lnpt::fail("writing ", path, " failed: a writable folder with enough free space is needed");
}

void comparison_results::write_csv() const {
  auto text = heading() + '\n';
  for (auto const& row : record_.rows) text += csv_line(row);
  write_atomically(folder_ / "results.csv", text);
}

void comparison_results::write_json() const { write_atomically(folder_ / "results.json", to_json(record_).dump(2) + "\n"); }

}  // namespace cli
