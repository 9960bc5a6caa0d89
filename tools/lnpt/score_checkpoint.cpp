#include "score_checkpoint.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <functional>
#include <nlohmann/json.hpp>

#include <lnpt/out_of_core/score.hpp>

#include "progress.hpp"
#include "text_table.hpp"

namespace cli {

namespace {

namespace ooc = lnpt::out_of_core;

/// The octaves of a picture, lowest first: those that any tensor's scores lie in, of which the first stands for all below it, too.
struct octave_range {
  int first = 0, count = 0;
};

constexpr int widest_picture = 32;

octave_range octaves_of(std::vector<ooc::score_histogram> const& scored) {
  int first = 0;
  int end = 0;
  bool any = false;
  for (auto const& each : scored) {
    if (each.octaves.empty()) continue;
    first = any ? std::min(first, each.first_octave) : each.first_octave;
    auto const its_end = each.first_octave + static_cast<int>(each.octaves.size());
    end = any ? std::max(end, its_end) : its_end;
    any = true;
  }
  first = std::max(first, end - widest_picture);
  return {first, end - first};
}

/// A column for each octave, its height the octave's part of the fullest one, rounded up.
std::string picture_of(ooc::score_histogram const& scores, octave_range const& range) {
  constexpr std::array<char const*, 9> heights{" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  std::vector<std::uint64_t> columns(static_cast<std::size_t>(range.count));
  for (int octave = scores.first_octave; auto const count : scores.octaves) {
    if (count != 0) columns[static_cast<std::size_t>(std::max(0, octave - range.first))] += count;
    ++octave;
  }
  auto const fullest = columns.empty() ? 0 : std::ranges::max(columns);
  std::string text;
  for (auto const count : columns) {
    auto const share = fullest == 0 ? 0.0 : static_cast<double>(count) / static_cast<double>(fullest);
    text += heights[static_cast<std::size_t>(share * 8 + (count == 0 ? 0 : 0.9999))];
  }
  return text;
}

/// All scores as those of one tensor.
ooc::score_histogram sum_of(std::vector<ooc::score_histogram> const& scored) {
  ooc::score_histogram all{.name = "all", .least = scored.front().least};
  double sum = 0;
  std::array<std::uint64_t, 256> octaves{};
  for (auto const& each : scored) {
    all.total += each.total;
    all.zeros += each.zeros;
    all.least = std::min(all.least, each.least);
    all.largest = std::max(all.largest, each.largest);
    sum += each.mean * static_cast<double>(each.total);
    for (std::size_t k = 0; k < each.octaves.size(); ++k)
      octaves[static_cast<std::size_t>(each.first_octave - ooc::lowest_octave) + k] += each.octaves[k];
  }
  all.mean = sum / static_cast<double>(all.total);
  all.first_octave = ooc::lowest_octave;
  all.octaves.assign(octaves.begin(), octaves.end());
  return all;
}

nlohmann::ordered_json as_json(ooc::score_report const& report, std::string_view criterion) {
  nlohmann::ordered_json all{{"criterion", criterion}, {"tensors", nlohmann::json::array()}, {"dense", nlohmann::json::array()}};
  for (auto const& each : report.scored)
    all["tensors"].push_back({{"name", each.name},
                              {"weights", each.total},
                              {"zeros", each.zeros},
                              {"least", each.least},
                              {"mean", each.mean},
                              {"largest", each.largest},
                              {"first_octave", each.first_octave},
                              {"octaves", each.octaves}});
  for (auto const& [name, reason] : report.dense) all["dense"].push_back({{"name", name}, {"reason", reason}});
  all["seconds"] = report.seconds;
  return all;
}

void print(ooc::score_report const& report, std::string_view criterion) {
  auto const range = octaves_of(report.scored);
  text_table table({"tensor", "weights", "zero", "least", "mean", "largest", "octaves"});
  auto const add = [&](ooc::score_histogram const& each) {
    table.add({each.name, std::to_string(each.total), std::to_string(each.zeros), fmt::format("{:.4g}", each.least),
               fmt::format("{:.4g}", each.mean), fmt::format("{:.4g}", each.largest), picture_of(each, range)});
  };
  for (auto const& each : report.scored) add(each);
  auto const all = sum_of(report.scored);
  if (report.scored.size() > 1) add(all);
  table.print();
  if (range.count > 0)
    fmt::print("octaves: a column for each power of 2, from {}2^{} to 2^{}\n", range.count == widest_picture ? "at most " : "",
               range.first, range.first + range.count);
  print_left_dense(report.dense);
  fmt::print("{} scores by {}, of which {} are 0, in {:.1f} s\n", all.total, criterion, all.zeros, report.seconds);
}

}  // namespace

void score_checkpoint(checkpoint_choice const& o, checkpoint_scoring const& asked) {
  auto options = o.options(asked.criterion, asked.seed);
  auto const report = [&] {
    byte_progress along;
    options.progress = std::ref(along);
    return ooc::score(o.from, options);
  }();
  auto const criterion = spell(criterion_names, asked.criterion);
  if (asked.json)
    fmt::print("{}\n", as_json(report, criterion).dump(2));
  else
    print(report, criterion);
}

}  // namespace cli
