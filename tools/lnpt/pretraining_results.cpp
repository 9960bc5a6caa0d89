#include "pretraining_results.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>
#include <utility>

#include "chart.hpp"
#include "summary.hpp"
#include "text.hpp"
#include "text_table.hpp"

namespace cli {

namespace {

constexpr char const* columns = "arm,seed,step,accuracy,parameters,multiply_adds";

study_file::row cells_of(study_row const& row) {
  return {row.arm,
          std::to_string(row.seed),
          std::to_string(row.step),
          shortest_text(row.accuracy),
          std::to_string(row.parameters),
          std::to_string(row.multiply_adds)};
}

study_row parse_study_row(study_file::row const& cells) {
  auto const count = [&](std::size_t cell) { return parse_number<std::size_t>("cell of pretraining.csv", cells[cell]); };
  return {cells[0], parse_number<std::uint64_t>("seed", cells[1]), count(2), parse_share("accuracy", cells[3]), count(4),
          count(5)};
}

double removed(study_row const& first, study_row const& now) {
  return 1 - static_cast<double>(now.parameters) / static_cast<double>(first.parameters);
}

}  // namespace

pretraining_results::pretraining_results(std::filesystem::path folder, std::map<std::string, std::string> settings,
                                         seed_range asked)
    : file_(std::move(folder), "pretraining", columns, std::move(settings)) {
  for (auto const& row : file_.parsed(parse_study_row)) {
    if (row.step != of(row.arm, row.seed).size())
      lnpt::fail(file_.folder() / "pretraining.csv", " holds step ", row.step, " of arm ", row.arm, " and seed ", row.seed,
                 " out of its order, or twice: mend it, or give another --out");
    rows_.push_back(row);
  }
  std::erase_if(rows_, [&](auto const& row) { return !asked.contains(row.seed); });
}

void pretraining_results::add(study_row const& row) {
  if (of(row.arm, row.seed).size() > row.step) return;
  file_.add(cells_of(row));
  rows_.push_back(row);
}

std::vector<study_row> pretraining_results::of(std::string const& arm, std::uint64_t seed) const {
  std::vector<study_row> found;
  std::ranges::copy_if(rows_, std::back_inserter(found), [&](auto const& row) { return row.arm == arm && row.seed == seed; });
  return found;
}

std::vector<std::uint64_t> pretraining_results::seeds() const {
  std::vector<std::uint64_t> found;
  for (auto const& row : rows_)
    if (std::ranges::find(found, row.seed) == found.end()) found.push_back(row.seed);
  return found;
}

std::vector<std::uint64_t> pretraining_results::whole_seeds() const {
  auto found = seeds();
  std::erase_if(found, [&](auto seed) {
    auto const pretrained = of(pretrained_arm, seed).size();
    return pretrained == 0 || pretrained != of(scratch_arm, seed).size();
  });
  return found;
}

double pretraining_results::removable(std::string const& arm, std::uint64_t seed, double delta) const {
  auto const rows = of(arm, seed);
  double most = 0;
  for (auto const& row : rows)
    if (row.accuracy >= rows.front().accuracy - delta) most = std::max(most, removed(rows.front(), row));
  return most;
}

nlohmann::ordered_json pretraining_results::json(double delta) const {
  nlohmann::ordered_json all{{"rows", nlohmann::json::array()}, {"removable", nlohmann::json::array()}};
  for (auto const& row : rows_)
    all["rows"].push_back({{"arm", row.arm},
                           {"seed", row.seed},
                           {"step", row.step},
                           {"accuracy", row.accuracy},
                           {"parameters", row.parameters},
                           {"multiply_adds", row.multiply_adds}});
  for (auto const seed : whole_seeds())
    all["removable"].push_back({{"seed", seed},
                                {scratch_arm, removable(scratch_arm, seed, delta)},
                                {pretrained_arm, removable(pretrained_arm, seed, delta)}});
  return all;
}

study_findings pretraining_results::findings(double delta) const {
  auto const whole = whole_seeds();
  if (whole.empty()) return {};
  std::size_t further = 0;
  summary scratch;
  summary pretrained;
  for (auto const seed : whole) {
    auto const from_scratch = removable(scratch_arm, seed, delta);
    auto const from_pretrained = removable(pretrained_arm, seed, delta);
    scratch.add(from_scratch);
    pretrained.add(from_pretrained);
    further += from_pretrained > from_scratch;
  }
  return {
      table(),
      {fmt::format("parameters removed at a loss of at most {:g} points: scratch {} %, pretrained {} %; pretrained further in "
                   "{} of {} seeds",
                   100 * delta, scratch.percent(), pretrained.percent(), further, whole.size())},
      chart()};
}

text_table pretraining_results::table() const {
  auto const whole = whole_seeds();
  auto const at = [&](char const* arm, std::size_t step) {
    summary accuracy;
    for (auto const seed : whole)
      if (auto const rows = of(arm, seed); step < rows.size()) accuracy.add(rows[step].accuracy);
    return accuracy.percent();
  };
  text_table table({"step", "parameters left %", "multiply-adds left %", "scratch, accuracy %", "pretrained, accuracy %"});
  auto const rows = of(scratch_arm, whole.front());
  for (std::size_t step = 0; step < rows.size(); ++step) {
    auto const multiply_adds = static_cast<double>(rows[step].multiply_adds) / static_cast<double>(rows.front().multiply_adds);
    table.add({std::to_string(step), fmt::format("{:.1f}", 100 * (1 - removed(rows.front(), rows[step]))),
               fmt::format("{:.1f}", 100 * multiply_adds), at(scratch_arm, step), at(pretrained_arm, step)});
  }
  return table;
}

std::string pretraining_results::chart() const {
  auto const whole = whole_seeds();
  std::vector<chart_series> arms;
  for (auto const* const arm : {scratch_arm, pretrained_arm}) {
    chart_series series{.name = arm, .style = arms.size()};
    for (std::size_t step = 0; step < of(arm, whole.front()).size(); ++step) {
      summary gone;
      summary accuracy;
      for (auto const seed : whole) {
        auto const rows = of(arm, seed);
        if (step >= rows.size()) continue;
        gone.add(100 * removed(rows.front(), rows[step]));
        accuracy.add(100 * rows[step].accuracy);
      }
      series.points.push_back({gone.mean(), accuracy.mean(), accuracy.smallest, accuracy.largest});
    }
    arms.push_back(std::move(series));
  }
  return line_chart({"pretraining", "Accuracy over removed parameters", "removed parameters, %", "accuracy, %"}, arms,
                    axis_kind::linear, axis_kind::linear);
}

}  // namespace cli
