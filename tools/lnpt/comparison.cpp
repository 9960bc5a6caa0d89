#include "comparison.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <fstream>
#include <span>

#include <lnpt/io/atomic_file.hpp>

#include "engine_setting.hpp"

namespace cli {

namespace {

constexpr char const* heading = "criterion,sparsity,seed,last_accuracy,best_accuracy,dead_layers,score_seconds";

std::string csv_line(comparison_row const& row) {
  return fmt::format("{},{},{},{},{},{},{}\n", row.criterion, shortest_text(row.sparsity), row.seed,
                     shortest_text(row.last_accuracy), shortest_text(row.best_accuracy), row.dead_layers,
                     shortest_text(row.score_seconds));
}

comparison_row parse_row(std::filesystem::path const& path, std::string const& line) {
  auto const cells = split(line, ',');
  if (cells.size() != 7) lnpt::fail(path, " holds the line \"", line, "\": a row has the seven cells ", heading);
  auto const number = [&]<class Number>(std::size_t cell, Number) {
    return parse_number<Number>("cell of results.csv", cells[cell]);
  };
  return {std::string(cells[0]),    number(1, 0.0), number(2, std::uint64_t{}), number(3, 0.0), number(4, 0.0),
          number(5, std::size_t{}), number(6, 0.0)};
}

void write_atomically(std::filesystem::path const& path, std::string const& text) {
  lnpt::io::atomic_file file(path);
  file.write(std::as_bytes(std::span(text)));
  file.commit();
}

nlohmann::ordered_json read_json_file(std::filesystem::path const& path) {
  std::ifstream file(path);
  auto json = nlohmann::ordered_json::parse(file, nullptr, false);
  if (json.is_discarded()) lnpt::fail(path, " is no JSON: remove it, or choose another --out");
  return json;
}

}  // namespace

comparison_results::comparison_results(std::filesystem::path folder, std::map<std::string, std::string> settings)
    : folder_(std::move(folder)), settings_(std::move(settings)) {
  std::error_code problem;
  std::filesystem::create_directories(folder_, problem);
  if (problem) lnpt::fail("creating ", folder_, " failed (", problem.message(), "): choose an --out that can be written");
  if (std::filesystem::exists(folder_ / "manifest.json"))
    require_same_settings();
  else
    write_atomically(folder_ / "manifest.json", nlohmann::json(settings_).dump(2) + "\n");
  read_csv();
  read_json();
}

void comparison_results::require_same_settings() const {
  auto const shown = [](std::string const& value) { return value.empty() ? std::string("none") : value; };
  auto const held = read_json_file(folder_ / "manifest.json");
  auto asked = settings_;
  if (held.is_object())
    for (auto const& each : held.items()) asked.emplace(each.key(), "");  // said before and not now
  for (auto const& [name, value] : asked) {
    auto const unsaid = name == engine_setting ? std::string(first_engine) : std::string();
    auto const before = held.is_object() ? held.value(name, unsaid) : unsaid;
    if (before != value)
      refuse(folder_, " holds a comparison with ", name, ' ', shown(before), " and not ", shown(value),
             ": give the same settings to continue it, or another --out");
  }
}

void comparison_results::read_csv() {
  auto const path = folder_ / "results.csv";
  std::ifstream file(path);
  std::string line;
  auto whole = std::getline(file, line) && line == heading;
  if (file && !whole) lnpt::fail(path, " does not begin with ", heading, ": remove it, or choose another --out");
  while (std::getline(file, line)) {
    whole = !file.eof();  // the last line of an interrupted run may be cut short
    if (whole) rows_.push_back(parse_row(path, line));
  }
  if (!whole) write_csv();
}

void comparison_results::read_json() {
  auto const path = folder_ / "results.json";
  if (!std::filesystem::exists(path)) return;
  auto const json = read_json_file(path);
  try {
    for (auto const& each : json.at("teachers")) teachers_[each.at("seed")] = each.at("accuracy");
    for (auto const& each : json.at("rows")) {
      auto const criterion = each.at("criterion").get<std::string>();
      auto const sparsity = each.at("sparsity").get<double>();
      auto const seed = each.at("seed").get<std::uint64_t>();
      for (auto& row : rows_)
        if (row.criterion == criterion && row.sparsity == sparsity && row.seed == seed) each.at("emptied").get_to(row.emptied);
    }
  } catch (nlohmann::json::exception const& reason) {
    lnpt::fail(path, " lacks something (", reason.what(), "): remove it, or choose another --out");
  }
}

bool comparison_results::contains(std::string const& criterion, double sparsity, std::uint64_t seed) const {
  return std::ranges::any_of(
      rows_, [&](auto const& row) { return row.criterion == criterion && row.sparsity == sparsity && row.seed == seed; });
}

void comparison_results::set_teacher_accuracy(std::uint64_t seed, double accuracy) { teachers_[seed] = accuracy; }

void comparison_results::add(comparison_row row) {
  rows_.push_back(std::move(row));
  write_json();  // first, so that every row of the other file has its names here
  auto const path = folder_ / "results.csv";
  std::ofstream file(path, std::ios::app);
  if (!(file << csv_line(rows_.back()) << std::flush))
    lnpt::fail("writing ", path, " failed: a writable folder with enough free space is needed");
}

void comparison_results::write_csv() const {
  std::string text = std::string(heading) + '\n';
  for (auto const& row : rows_) text += csv_line(row);
  write_atomically(folder_ / "results.csv", text);
}

void comparison_results::write_json() const { write_atomically(folder_ / "results.json", json().dump(2) + "\n"); }

nlohmann::ordered_json comparison_results::json() const {
  nlohmann::ordered_json all{{"settings", settings_}, {"teachers", nlohmann::json::array()}, {"rows", nlohmann::json::array()}};
  for (auto const& [seed, accuracy] : teachers_) all["teachers"].push_back({{"seed", seed}, {"accuracy", accuracy}});
  for (auto const& row : rows_)
    all["rows"].push_back({{"criterion", row.criterion},
                           {"sparsity", row.sparsity},
                           {"seed", row.seed},
                           {"last_accuracy", row.last_accuracy},
                           {"best_accuracy", row.best_accuracy},
                           {"dead_layers", row.dead_layers},
                           {"emptied", row.emptied},
                           {"score_seconds", row.score_seconds}});
  return all;
}

}  // namespace cli
