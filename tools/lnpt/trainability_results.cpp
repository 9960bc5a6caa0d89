#include "trainability_results.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <iterator>
#include <utility>

#include "chart.hpp"
#include "summary.hpp"
#include "text.hpp"
#include "text_table.hpp"

namespace cli {

namespace {

constexpr char const* columns =
    "method,removed,rate,seed,accuracy_before,accuracy,parameters,multiply_adds,jacobian_mean,jacobian_condition";

study_file::row cells_of(trainability_row const& row) {
  return {row.method,
          shortest_text(row.removed),
          shortest_text(row.rate),
          std::to_string(row.seed),
          shortest_text(row.accuracy_before),
          shortest_text(row.accuracy),
          std::to_string(row.parameters),
          std::to_string(row.multiply_adds),
          shortest_text(row.jacobian_mean),
          shortest_text(row.jacobian_condition)};
}

trainability_row parse_row(study_file::row const& cells) {
  auto const number = [&](std::size_t cell) { return parse_number<double>("cell of trainability.csv", cells[cell]); };
  auto const count = [&](std::size_t cell) { return parse_number<std::size_t>("cell of trainability.csv", cells[cell]); };
  auto const accuracy = [&](std::size_t cell) { return parse_share("accuracy", cells[cell]); };
  return {cells[0], number(1), number(2), parse_number<std::uint64_t>("seed", cells[3]), accuracy(4), accuracy(5), count(6),
          count(7), number(8), number(9)};
}

/// Values in the order of their first appearance.
template <class Get>
auto different(std::vector<trainability_row> const& rows, Get get) {
  std::vector<std::remove_cvref_t<decltype(get(rows.front()))>> found;
  for (auto const& row : rows)
    if (row.method != dense_method && std::ranges::find(found, get(row)) == found.end()) found.push_back(get(row));
  return found;
}

template <class Get>
summary over(std::vector<trainability_row> const& rows, Get get) {
  summary all;
  for (auto const& row : rows) all.add(get(row));
  return all;
}

}  // namespace

trainability_results::trainability_results(std::filesystem::path folder, std::map<std::string, std::string> settings,
                                           seed_range asked)
    : file_(std::move(folder), "trainability", columns, std::move(settings)) {
  for (auto const& row : file_.parsed(parse_row)) {
    if (contains(row.method, row.removed, row.rate, row.seed))
      lnpt::fail(file_.folder() / "trainability.csv", " holds the row of ", row.method, " at ", row.removed, " and rate ",
                 row.rate, ", seed ", row.seed, ", twice: mend it, or give another --out");
    rows_.push_back(row);
  }
  std::erase_if(rows_, [&](auto const& row) { return !asked.contains(row.seed); });
}

bool trainability_results::contains(std::string const& method, double removed, double rate, std::uint64_t seed) const {
  return std::ranges::any_of(of(method, removed, rate), [&](auto const& row) { return row.seed == seed; });
}

void trainability_results::add(trainability_row const& row) {
  if (contains(row.method, row.removed, row.rate, row.seed)) return;
  file_.add(cells_of(row));
  rows_.push_back(row);
}

std::vector<trainability_row> trainability_results::of(std::string const& method, double removed, double rate) const {
  std::vector<trainability_row> found;
  std::ranges::copy_if(rows_, std::back_inserter(found),
                       [&](auto const& row) { return row.method == method && row.removed == removed && row.rate == rate; });
  return found;
}

nlohmann::ordered_json trainability_results::json() const {
  auto rows = nlohmann::ordered_json::array();
  for (auto const& row : rows_)
    rows.push_back({{"method", row.method},
                    {"removed", row.removed},
                    {"rate", row.rate},
                    {"seed", row.seed},
                    {"accuracy_before", row.accuracy_before},
                    {"accuracy", row.accuracy},
                    {"parameters", row.parameters},
                    {"multiply_adds", row.multiply_adds},
                    {"jacobian_mean", row.jacobian_mean},
                    {"jacobian_condition", row.jacobian_condition}});
  return {{"rows", std::move(rows)}};
}

study_findings trainability_results::findings() const {
  if (of(dense_method, 0, 0).empty()) return {};
  return {table(), verdicts(), chart()};
}

text_table trainability_results::table() const {
  auto const dense = of(dense_method, 0, 0);
  auto const methods = different(rows_, [](auto const& row) { return row.method; });
  auto const ratios = different(rows_, [](auto const& row) { return row.removed; });
  auto const rates = different(rows_, [](auto const& row) { return row.rate; });
  std::vector<std::string> headings{"filters removed %", "method",    "parameters %", "multiply-adds %",
                                    "Jacobian, mean",    "condition", "accuracy %"};
  for (auto const rate : rates) headings.push_back(fmt::format("trained at {:g}", rate));
  text_table table(headings);
  auto const add = [&](std::string const& method, double removed, std::vector<trainability_row> const& rows) {
    auto const left = [&](auto get) {
      return fmt::format("{:.1f}", 100.0 * static_cast<double>(get(rows.front())) / static_cast<double>(get(dense.front())));
    };
    auto const mean = [&](auto get) { return fmt::format("{:.3g}", over(rows, get).mean()); };
    std::vector<std::string> cells{fmt::format("{:g}", 100 * removed),
                                   method,
                                   left([](auto const& r) { return r.parameters; }),
                                   left([](auto const& r) { return r.multiply_adds; }),
                                   mean([](auto const& r) { return r.jacobian_mean; }),
                                   mean([](auto const& r) { return r.jacobian_condition; }),
                                   over(rows, [](auto const& r) { return r.accuracy_before; }).percent()};
    for (auto const rate : rates) {
      auto const trained = of(method, removed, rate);
      cells.push_back(trained.empty() ? "" : over(trained, [](auto const& r) { return r.accuracy; }).percent());
    }
    table.add(std::move(cells));
  };
  add(dense_method, 0, dense);
  for (auto const removed : ratios)
    for (auto const& method : methods)
      if (auto const rows = of(method, removed, rates.front()); !rows.empty()) add(method, removed, rows);
  return table;
}

std::vector<std::string> trainability_results::verdicts() const {
  std::vector<std::string> sentences;
  for (auto const rate : different(rows_, [](auto const& row) { return row.rate; }))
    for (auto const* const other : {"l1", "scratch"}) {
      std::size_t better = 0;
      std::size_t pairs = 0;
      for (auto const& row : rows_) {
        if (row.method != "tpp" || row.rate != rate) continue;
        for (auto const& rival : of(other, row.removed, rate)) {
          if (rival.seed != row.seed) continue;
          better += row.accuracy > rival.accuracy;
          ++pairs;
        }
      }
      if (pairs > 0)
        sentences.push_back(
            fmt::format("trained at {:g}: tpp above {} in {} of {} pairs of networks", rate, other, better, pairs));
    }
  return sentences;
}

std::string trainability_results::chart() const {
  auto const rates = different(rows_, [](auto const& row) { return row.rate; });
  std::vector<chart_series> lines;
  for (std::size_t style = 0; auto const& method : different(rows_, [](auto const& row) { return row.method; })) {
    for (auto const rate : rates) {
      chart_series line{.name = fmt::format("{}, {:g}", method, rate), .style = style, .dashed = rate != rates.front()};
      for (auto const removed : different(rows_, [](auto const& row) { return row.removed; })) {
        auto const rows = of(method, removed, rate);
        if (rows.empty()) continue;
        auto const accuracy = over(rows, [](auto const& r) { return 100 * r.accuracy; });
        line.points.push_back({100 * removed, accuracy.mean(), accuracy.smallest, accuracy.largest});
      }
      if (!line.points.empty()) lines.push_back(std::move(line));
    }
    ++style;
  }
  if (lines.empty()) return {};
  return line_chart(
      {"trainability", "Accuracy after training again, by method and learning rate", "inner filters removed, %", "accuracy, %"},
      lines, axis_kind::linear, axis_kind::linear);
}

}  // namespace cli
