#include "merging_results.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>
#include <set>
#include <utility>

#include "chart.hpp"
#include "summary.hpp"
#include "text.hpp"

namespace cli {

namespace {

constexpr char const* columns = "method,seed,epsilon,parameters,accuracy,samples,agreeing,fgsm,pgd";

study_file::row cells_of(merging_row const& row) {
  return {row.method,
          std::to_string(row.seed),
          shortest_text(row.epsilon),
          std::to_string(row.parameters),
          shortest_text(row.accuracy),
          std::to_string(row.samples),
          std::to_string(row.agreeing),
          std::to_string(row.fgsm),
          std::to_string(row.pgd)};
}

merging_row parse_row(study_file::row const& cells) {
  auto const count = [&](std::size_t cell) { return parse_number<std::size_t>("cell of merging.csv", cells[cell]); };
  return {cells[0],
          parse_number<std::uint64_t>("seed", cells[1]),
          parse_number<double>("distance", cells[2]),
          count(3),
          parse_share("accuracy", cells[4]),
          count(5),
          count(6),
          count(7),
          count(8)};
}

/// The part of a row's samples that one of its counts is.
double share(merging_row const& row, std::size_t merging_row::* count) {
  return static_cast<double>(row.*count) / static_cast<double>(row.samples);
}

summary shares(std::vector<merging_row> const& rows, std::size_t merging_row::* count) {
  summary all;
  for (auto const& row : rows) all.add(share(row, count));
  return all;
}

/// The methods in the order of their first rows.
std::vector<std::string> methods_of(std::vector<merging_row> const& rows) {
  std::vector<std::string> found;
  for (auto const& row : rows)
    if (std::ranges::find(found, row.method) == found.end()) found.push_back(row.method);
  return found;
}

std::set<double> epsilons_of(std::vector<merging_row> const& rows) {
  std::set<double> found;
  for (auto const& row : rows) found.insert(row.epsilon);
  return found;
}

bool is_merge(std::string const& method) { return method != whole_method && method != norm_method && method != random_method; }

}  // namespace

merging_results::merging_results(std::filesystem::path folder, std::map<std::string, std::string> settings, seed_range asked)
    : file_(std::move(folder), "merging", columns, std::move(settings)) {
  for (auto const& row : file_.parsed(parse_row)) {
    if (row.samples == 0 || contains(row.method, row.seed, row.epsilon))
      lnpt::fail(file_.folder() / "merging.csv", " holds the row of ", row.method, " at ", row.epsilon, ", seed ", row.seed,
                 ", twice or of no samples: mend it, or give another --out");
    rows_.push_back(row);
  }
  std::erase_if(rows_, [&](auto const& row) { return !asked.contains(row.seed); });
}

bool merging_results::contains(std::string const& method, std::uint64_t seed, double epsilon) const {
  return std::ranges::any_of(of(method, epsilon), [&](auto const& row) { return row.seed == seed; });
}

void merging_results::add(merging_row const& row) {
  if (contains(row.method, row.seed, row.epsilon)) return;
  file_.add(cells_of(row));
  rows_.push_back(row);
}

std::vector<merging_row> merging_results::of(std::string const& method, double epsilon) const {
  std::vector<merging_row> found;
  std::ranges::copy_if(rows_, std::back_inserter(found),
                       [&](auto const& row) { return row.method == method && row.epsilon == epsilon; });
  return found;
}

nlohmann::ordered_json merging_results::json() const {
  auto rows = nlohmann::ordered_json::array();
  for (auto const& row : rows_)
    rows.push_back({{"method", row.method},
                    {"seed", row.seed},
                    {"epsilon", row.epsilon},
                    {"parameters", row.parameters},
                    {"accuracy", row.accuracy},
                    {"samples", row.samples},
                    {"agreeing", row.agreeing},
                    {"fgsm", row.fgsm},
                    {"pgd", row.pgd}});
  return {{"rows", std::move(rows)}};
}

study_findings merging_results::findings() const {
  if (rows_.empty()) return {};
  return {table(), verdicts(), chart()};
}

text_table merging_results::table() const {
  auto const epsilons = epsilons_of(rows_);
  std::vector<std::string> headings{"method", "parameters %", "accuracy %", "no attack %"};
  for (auto const epsilon : epsilons) {
    headings.push_back(fmt::format("FGSM {:g} %", epsilon));
    headings.push_back(fmt::format("PGD {:g} %", epsilon));
  }
  text_table table(headings);
  for (auto const& method : methods_of(rows_)) {
    auto const rows = of(method, *epsilons.begin());
    if (rows.empty()) continue;
    summary parameters;
    summary accuracy;
    for (auto const& row : rows) {
      accuracy.add(row.accuracy);
      for (auto const& whole : of(whole_method, row.epsilon))
        if (whole.seed == row.seed) parameters.add(static_cast<double>(row.parameters) / static_cast<double>(whole.parameters));
    }
    std::vector<std::string> cells{is_merge(method) ? "merged, " + method : method,
                                   parameters.count == 0 ? "" : fmt::format("{:.1f}", 100 * parameters.mean()),
                                   accuracy.percent(), shares(rows, &merging_row::agreeing).percent()};
    for (auto const epsilon : epsilons)
      for (auto const count : {&merging_row::fgsm, &merging_row::pgd}) {
        auto const attacked = of(method, epsilon);
        cells.push_back(attacked.empty() ? "" : shares(attacked, count).percent());
      }
    table.add(std::move(cells));
  }
  return table;
}

std::vector<std::string> merging_results::verdicts() const {
  std::vector<std::string> sentences;
  for (auto const epsilon : epsilons_of(rows_))
    for (auto const& method : methods_of(rows_)) {
      if (!is_merge(method)) continue;
      summary points;
      std::size_t above = 0;
      for (auto const& row : of(method, epsilon))
        for (auto const& rival : of(norm_method, epsilon)) {
          if (rival.seed != row.seed) continue;
          points.add(100 * (share(row, &merging_row::fgsm) - share(rival, &merging_row::fgsm)));
          above += row.fgsm > rival.fgsm;
        }
      if (points.count > 0)
        sentences.push_back(fmt::format("under FGSM at {:g}: merged, {} {:+.1f} points beside l1, above it in {} of {} seeds",
                                        epsilon, method, points.mean(), above, points.count));
    }
  return sentences;
}

std::string merging_results::chart() const {
  auto const percent = [](summary const& of, double x) {
    return chart_point{x, 100 * of.mean(), 100 * of.smallest, 100 * of.largest};
  };
  auto const epsilons = epsilons_of(rows_);
  std::vector<chart_series> lines;
  for (auto const& method : methods_of(rows_)) {
    chart_series line{.name = is_merge(method) ? "merged, " + method : method, .style = lines.size()};
    if (auto const rows = of(method, *epsilons.begin()); !rows.empty() && *epsilons.begin() > 0)
      line.points.push_back(percent(shares(rows, &merging_row::agreeing), 0));
    for (auto const epsilon : epsilons)
      if (auto const rows = of(method, epsilon); !rows.empty())
        line.points.push_back(percent(shares(rows, &merging_row::fgsm), epsilon));
    lines.push_back(std::move(line));
  }
  return line_chart({"merging", "Decisions of the whole network that are kept under FGSM", "distance of the attack",
                     "decided as the whole network, %"},
                    lines, axis_kind::linear, axis_kind::linear);
}

}  // namespace cli
