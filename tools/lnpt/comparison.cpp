#include "comparison.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <fstream>
#include <optional>
#include <span>
#include <string_view>

#include "output_files.hpp"
#include "settings_difference.hpp"

namespace cli {

namespace {

constexpr std::string_view columns = "criterion,sparsity,seed,last_accuracy,best_accuracy,dead_layers,score_seconds";
/// What follows where whole channels went: what the sparsity counts, and the sizes of both networks.
constexpr std::string_view columns_of_channels =
    ",budget,parameters_before,parameters,multiply_adds_before,multiply_adds,milliseconds_before,milliseconds";

/// The sizes in the cells that follow the budget's; nothing where no channel went.
std::optional<compared_size> parse_size(std::span<std::string_view const> cells) {
  if (cells.empty() || cells.front().empty()) return std::nullopt;
  auto const count = [&](std::size_t cell) { return parse_number<std::size_t>("size", cells[cell]); };
  auto const milliseconds = [&](std::size_t cell) { return parse_number<double>("time", cells[cell]); };
  return compared_size{count(1), count(3), count(0), count(2), milliseconds(5), milliseconds(4)};
}

/// The row of a line under this heading, as far as a line holds it.
comparison_row parse_row(std::string_view heading, std::string const& line) {
  auto const cells = split(line, ',');
  if (cells.size() != split(heading, ',').size()) refuse("a row has the cells ", heading);
  comparison_row row{std::string(cells[0]),
                     parse_share("sparsity", cells[1]),
                     parse_number<std::uint64_t>("seed", cells[2]),
                     parse_share("accuracy", cells[3]),
                     parse_share("accuracy", cells[4]),
                     parse_number<std::size_t>("number of layers", cells[5]),
                     parse_number<double>("time", cells[6])};
  constexpr std::size_t before_sizes = 8;
  row.details.size = parse_size(std::span(cells).subspan(std::min(before_sizes, cells.size())));
  return row;
}

}  // namespace

comparison_results::comparison_results(std::filesystem::path folder, std::map<std::string, std::string> settings)
    : folder_(std::move(folder)), lock_(folder_ / "results.lock"), record_{.settings = std::move(settings)} {
  require_output_folder("--out", folder_);
  if (!has_records()) return;
  lock_.take();  // before the rows are read, to which another process could add
  auto const held = read_manifest();
  if (held && is_begun()) require_same_settings(*held);
  auto const has_rows = std::filesystem::exists(csv());
  auto const has_details = std::filesystem::exists(json());
  is_whole_ = has_rows && read_csv();
  if (has_details)
    read_json(has_rows);
  else
    rows_alone_ = record_.rows.size();
  if (!held && rows_alone_ > 0)
    lnpt::fail(csv(),
               " lies there without manifest.json and results.json, which say by which settings its rows came to be: "
               "restore one of them, or choose another --out");
}

bool comparison_results::has_records() const {
  auto const files = {manifest(), csv(), json()};
  return std::ranges::any_of(files, [](auto const& file) { return std::filesystem::exists(file); });
}

bool comparison_results::is_begun() const {
  auto const is_teacher = [](auto const& each) { return each.path().filename().string().starts_with("teacher-seed"); };
  if (std::filesystem::exists(json()) || std::ranges::any_of(std::filesystem::directory_iterator(folder_), is_teacher))
    return true;
  std::ifstream file(csv());
  std::string heading;
  return std::getline(file, heading) && file.peek() != std::ifstream::traits_type::eof();
}

void comparison_results::begin() {
  std::error_code problem;
  std::filesystem::create_directories(folder_, problem);
  if (problem) lnpt::fail("creating ", folder_, " failed (", problem.message(), "): choose an --out that can be written");
  if (!lock_.is_taken()) {
    lock_.take();
    if (has_records())
      lnpt::fail(folder_, " was begun by another lnpt meanwhile: give the command again, which goes on from there");
  }
  if (!std::filesystem::exists(manifest()) || !is_begun())
    write_atomically(manifest(), nlohmann::json(record_.settings).dump(2) + "\n");
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

std::optional<std::map<std::string, std::string>> comparison_results::read_manifest() const {
  if (!std::filesystem::exists(manifest())) return std::nullopt;
  auto const held = read_json_file(manifest());
  auto const is_text = [](auto const& value) { return value.is_string(); };
  if (!held.is_object() || !held.contains("arch") || !std::all_of(held.begin(), held.end(), is_text))
    lnpt::fail(manifest(), " is not as lnpt wrote it, a text for each setting: restore it, or choose another --out");
  return held.get<std::map<std::string, std::string>>();
}

void comparison_results::require_same_settings(std::map<std::string, std::string> const& held) const {
  if (auto const words = difference_in_words(held, record_.settings))
    refuse(folder_, " holds a comparison ", *words, ": give the settings and the data it was begun with, or another --out");
}

bool comparison_results::read_csv() {
  std::ifstream file(csv());
  std::string line;
  if (!std::getline(file, line)) return false;
  auto const first = line;
  if (first != columns && first != std::string(columns) + std::string(columns_of_channels))
    lnpt::fail(csv(), " does not begin with ", heading(), ": restore it, or choose another --out");
  auto whole = !file.eof();  // earlier versions wrote the shorter heading for channels, too
  while (std::getline(file, line)) {
    whole = !file.eof();  // the last line of an interrupted run may be cut short
    if (!whole) break;
    auto row = held_in(csv().string() + " holds the line \"" + line + '"', [&] { return parse_row(first, line); });
    if (contains(row.criterion, row.sparsity, row.seed))  // as two runs at once would leave it
      lnpt::fail(csv(), " holds two rows of ", row.criterion, " at ", row.sparsity, " of seed ", row.seed, ": remove one");
    record_.rows.push_back(std::move(row));
  }
  auto const respelt = unite_spellings(record_.rows);
  return whole && !respelt && first == heading();
}

void comparison_results::read_json(bool has_rows) {
  auto before = read_comparison(json());
  require_same_settings(before.settings);
  record_.teachers = std::move(before.teachers);
  record_.layers = std::move(before.layers);
  if (!has_rows) {
    record_.rows = std::move(before.rows);
    return;
  }
  for (auto& each : before.rows)
    for (auto& row : record_.rows)
      if (is_of(row, each.criterion, each.sparsity, each.seed)) row.details = std::move(each.details);
}

bool comparison_results::contains(std::string const& criterion, double sparsity, std::uint64_t seed) const {
  return cli::contains(record_.rows, criterion, sparsity, seed);
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
  std::ofstream file(csv(), std::ios::app);
  if (!(file << csv_line(record_.rows.back()) << std::flush))
    lnpt::fail("writing ", csv(), " failed: a writable folder with enough free space is needed");
}

void comparison_results::write_csv() const {
  auto text = heading() + '\n';
  for (auto const& row : record_.rows) text += csv_line(row);
  write_atomically(csv(), text);
}

void comparison_results::write_json() const { write_atomically(json(), to_json(record_).dump(2) + "\n"); }

}  // namespace cli
