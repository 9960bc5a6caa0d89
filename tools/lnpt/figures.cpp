#include "figures.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <set>

#include "chart.hpp"
#include "comparison_summary.hpp"
#include "settings_difference.hpp"
#include "text.hpp"

namespace cli {

namespace {

using runs_type = std::vector<comparison_record>;

constexpr char const* all_ratios = "All ratios";

/// The mean of a summary and the range around it, in `unit`, at a place of the other axis.
chart_point point_at(double place, summary const& values, double unit = 1) {
  return {place, unit * values.mean(), unit * values.smallest, unit * values.largest};
}
/// The same in a row: the value lies along x.
chart_point point_in_row(std::size_t row, summary const& values, double unit = 1) {
  return {unit * values.mean(), static_cast<double>(row), unit * values.smallest, unit * values.largest};
}

std::string label_of(comparison_record const& run, std::string const& criterion, runs_type const& runs) {
  if (runs.size() == 1) return criterion;
  return criterion + (learns_from_labels(run) ? ", with labels" : ", without labels");
}

/// A series for every criterion of every run; `fill(series, run, criterion)` adds its points.
template <class Fill>
std::vector<chart_series> series_of(runs_type const& runs, Fill fill) {
  std::vector<chart_series> all;
  auto const criteria = criteria_of(runs);
  for (std::size_t c = 0; c < criteria.size(); ++c)
    for (auto const& run : runs) {
      chart_series series{label_of(run, criteria[c], runs), c, runs.size() > 1 && learns_from_labels(run)};
      fill(series, run, criteria[c]);
      if (!series.points.empty()) all.push_back(std::move(series));
    }
  return all;
}

std::string seeds_text(runs_type const& runs) {
  std::set<std::uint64_t> seeds;
  for (auto const& run : runs)
    for (auto const& row : run.rows) seeds.insert(row.seed);
  return seeds.size() > 1 ? fmt::format("Mean of up to {} seeds, with the range they span.", seeds.size()) : "One seed.";
}

void add_accuracy(std::vector<figure>& figures, runs_type const& runs) {
  auto const sparsities = sparsities_of(runs);
  auto const caption = "Test accuracy after the last epoch. " + seeds_text(runs);
  if (sparsities.size() > 1) {
    auto const channels = runs.front().settings.contains(budget_setting);
    auto const series = series_of(runs, [&](chart_series& into, auto const& run, auto const& criterion) {
      for (auto const s : sparsities)
        if (auto const line = line_of(run, criterion, s); line.last.count > 0)
          into.points.push_back(point_at(100 * s, line.last, 100));
    });
    figures.push_back({"accuracy", all_ratios,
                       line_chart({"accuracy", channels ? "Accuracy over what was removed" : "Accuracy over sparsity",
                                   ratio_words(runs) + ", % (axis: logarithm of what is left)", "accuracy, %"},
                                  series, axis_kind::log_remaining, axis_kind::linear),
                       caption});
    return;
  }
  std::vector<std::string> rows;
  chart_series mean{"mean of the seeds, with their range", 0};
  for (auto const& criterion : criteria_of(runs))
    for (auto const& run : runs) {
      auto const line = line_of(run, criterion, sparsities.front());
      if (line.last.count == 0) continue;
      mean.points.push_back(point_in_row(rows.size(), line.last, 100));
      rows.push_back(label_of(run, criterion, runs));
    }
  figures.push_back({"accuracy", all_ratios,
                     row_chart({"accuracy", fmt::format("Accuracy at {:g} % {}", 100 * sparsities.front(), ratio_words(runs)),
                                "accuracy, %", "criterion"},
                               rows, {mean}, axis_kind::linear),
                     caption});
}

/// Fig. 7 of the paper: criteria that were trained both ways.
void add_labels(std::vector<figure>& figures, runs_type const& runs, double sparsity) {
  std::vector<chart_series> ways{{"without labels, from the teacher", 0}, {"with labels", 1}};
  std::vector<std::string> rows;
  for (auto const& criterion : criteria_of(runs)) {
    std::vector<summary> found(ways.size());
    for (auto const& run : runs)
      for (auto const& row : run.rows)
        if (row.criterion == criterion && row.sparsity == sparsity) found[learns_from_labels(run)].add(row.last_accuracy);
    if (found[0].count == 0 || found[1].count == 0) continue;
    for (std::size_t way = 0; way < ways.size(); ++way) ways[way].points.push_back(point_in_row(rows.size(), found[way], 100));
    rows.push_back(criterion);
  }
  if (rows.empty()) return;
  auto const percent = fmt::format("{:g}", 100 * sparsity);
  figures.push_back({"labels-" + percent, percent + " % " + ratio_words(runs),
                     row_chart({"labels-" + percent, fmt::format("With labels and without, {} % {}", percent, ratio_words(runs)),
                                "accuracy, %", "criterion"},
                               rows, ways, axis_kind::linear),
                     "Students that learned from true labels, and from what the teacher says. " + seeds_text(runs)});
}

void add_layers(std::vector<figure>& figures, runs_type const& runs, double sparsity) {
  auto const& layers = runs.front().layers;
  std::vector<std::string> rows;
  for (auto const& layer : layers)
    rows.push_back(layer.name.ends_with(".weight") ? layer.name.substr(0, layer.name.size() - 7) : layer.name);
  runs_type const first{runs.front()};  // what students learn from does not change their masks
  auto const series = series_of(first, [&](chart_series& into, auto const& run, auto const& criterion) {
    std::vector<summary> left(layers.size());
    for (auto const& row : run.rows)
      if (row.criterion == criterion && row.sparsity == sparsity)
        for (std::size_t i = 0; i < row.details.kept.size(); ++i)
          left[i].add(100 * static_cast<double>(row.details.kept[i]) / static_cast<double>(layers[i].weights));
    for (std::size_t i = 0; i < left.size(); ++i)
      if (left[i].count > 0) into.points.push_back({left[i].mean(), static_cast<double>(i), left[i].mean(), left[i].mean()});
  });
  if (series.empty()) return;
  auto const percent = fmt::format("{:g}", 100 * sparsity);
  figures.push_back({"layers-" + percent, percent + " % " + ratio_words(runs),
                     row_chart({"layers-" + percent, fmt::format("Weights left per layer, {} % {}", percent, ratio_words(runs)),
                                "weights left, % (at the left edge: none)", "layer"},
                               rows, series, axis_kind::logarithmic),
                     "Layers in the network's order, the first at the top. Mean over the seeds."});
}

using course_of = std::vector<double> const& (*)(student_course const&);

/// What the students of one sparsity were like over their epochs; `first`: the epoch of the first value.
void add_course(std::vector<figure>& figures, runs_type const& runs, double sparsity, std::string const& name,
                std::string const& title, std::string const& unit, std::string const& caption, course_of course, axis_kind y) {
  constexpr std::size_t most_points = 60;
  auto const series = series_of(runs, [&](chart_series& into, auto const& run, auto const& criterion) {
    std::vector<summary> values;
    for (auto const& row : run.rows) {
      if (row.criterion != criterion || row.sparsity != sparsity) continue;
      auto const& found = course(row.details.course);
      values.resize(std::max(values.size(), found.size()));
      for (std::size_t e = 0; e < found.size(); ++e)
        if (std::isfinite(found[e])) values[e].add(found[e]);
    }
    auto const stride = values.size() / most_points + 1;
    for (std::size_t e = 0; e < values.size(); ++e)
      if ((e % stride == 0 || e + 1 == values.size()) && values[e].count > 0)
        into.points.push_back(point_at(static_cast<double>(e), values[e]));
  });
  if (series.empty()) return;
  auto const percent = fmt::format("{:g}", 100 * sparsity);
  auto const id = name + '-' + percent;
  figures.push_back({id, percent + " % " + ratio_words(runs),
                     line_chart({id, fmt::format("{}, {} % {}", title, percent, ratio_words(runs)), "epoch", unit}, series,
                                axis_kind::exact, y),
                     caption + ' ' + seeds_text(runs)});
}

void add_courses(std::vector<figure>& figures, runs_type const& runs, double sparsity) {
  add_course(
      figures, runs, sparsity, "gap", "Learning gap", "mean ‖m_t − m_s‖²",
      "How far the student's features are from the teacher's on the test images, batch norm by each batch's statistics.",
      [](auto const& c) -> auto const& { return c.learning_gap; }, axis_kind::automatic);
  add_course(
      figures, runs, sparsity, "distance", "Distance from the teacher", "dᵀd, over prunable weights",
      "Between the prunable weights of teacher and student. Weight escape, in the table of students, is its largest growth over "
      "the first value at an epoch whose learning gap is below the first.",
      [](auto const& c) -> auto const& { return c.distance; }, axis_kind::automatic);
  add_course(
      figures, runs, sparsity, "moved", "Distance from the start", "‖θ_s − θ_s⁰‖², over prunable weights",
      "From the pruned student before training.", [](auto const& c) -> auto const& { return c.distance_from_start; },
      axis_kind::linear);
}

void add_cost(std::vector<figure>& figures, runs_type const& runs) {
  std::vector<std::string> rows;
  chart_series seconds{"seconds", 0};
  for (auto const& criterion : criteria_of(runs)) {
    summary cost;
    for (auto const& run : runs)
      for (auto const& row : run.rows)
        if (row.criterion == criterion) cost.add(row.score_seconds);
    if (cost.count == 0) continue;
    seconds.points.push_back(point_in_row(rows.size(), cost));
    rows.push_back(criterion);
  }
  figures.push_back(
      {"cost", all_ratios,
       row_chart({"cost", "Cost of scoring", "seconds (logarithmic)", "criterion"}, rows, {seconds}, axis_kind::logarithmic),
       "Wall-clock time of scoring and ranking one student, all rounds. Mean and range over all students."});
}

}  // namespace

std::vector<figure> figures_of(runs_type const& runs) {
  std::vector<figure> figures;
  if (criteria_of(runs).empty()) return figures;
  add_accuracy(figures, runs);
  add_cost(figures, runs);
  for (auto const sparsity : sparsities_of(runs)) {
    add_labels(figures, runs, sparsity);
    add_layers(figures, runs, sparsity);
    add_courses(figures, runs, sparsity);
  }
  return figures;
}

std::vector<overlap_table> overlaps_of(comparison_record const& run) {
  std::vector<overlap_table> tables;
  auto const criteria = criteria_of({run});
  for (auto const sparsity : sparsities_of({run})) {
    std::vector<std::vector<summary>> found(criteria.size(), std::vector<summary>(criteria.size()));
    bool any = false;
    for (auto const& row : run.rows) {
      if (row.sparsity != sparsity) continue;
      auto const here = static_cast<std::size_t>(std::ranges::find(criteria, row.criterion) - criteria.begin());
      for (auto const& [other, shared] : row.details.overlap) {
        auto const there = static_cast<std::size_t>(std::ranges::find(criteria, other) - criteria.begin());
        if (there == criteria.size()) continue;
        found[here][there].add(shared);
        found[there][here].add(shared);
        any = true;
      }
    }
    if (!any) continue;
    overlap_table table{sparsity, criteria, {}};
    for (auto const& line : found) {
      table.shared.emplace_back();
      for (auto const& cell : line)
        table.shared.back().push_back(cell.count > 0 ? cell.mean() : std::numeric_limits<double>::quiet_NaN());
    }
    tables.push_back(std::move(table));
  }
  return tables;
}

std::vector<std::string> criteria_of(runs_type const& runs) {
  std::vector<std::string> criteria;
  for (auto const& run : runs)
    for (auto const& row : run.rows)
      if (std::ranges::find(criteria, row.criterion) == criteria.end()) criteria.push_back(row.criterion);
  return criteria;
}

std::vector<double> sparsities_of(runs_type const& runs) {
  std::set<double> found;
  for (auto const& run : runs)
    for (auto const& row : run.rows) found.insert(row.sparsity);
  return {found.begin(), found.end()};
}

std::string ratio_words(runs_type const& runs) {
  auto const found = runs.front().settings.find(budget_setting);
  if (found == runs.front().settings.end()) return "sparsity";
  return "of the " + (found->second == "flops" ? "multiply-adds" : found->second) + " removed";
}

bool learns_from_labels(comparison_record const& run) {
  auto const found = run.settings.find(learn_from_setting);
  return found != run.settings.end() && found->second == learn_from_labels;
}

bool samples_by_labels(comparison_record const& run) { return setting_of(run.settings, sample_setting) == "label"; }

}  // namespace cli
