#include "prune_report.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <string>
#include <vector>

#include "empty_rows.hpp"
#include "ratio_plot.hpp"
#include "text_table.hpp"

namespace cli {

std::vector<std::string> narrow_layers(lnpt::mask_set const& masks) {
  constexpr std::size_t wide = 4;
  std::vector<std::string> warnings;
  for (auto const& kept : masks)
    if (kept.extents().size() > 1 && kept.extents()[0] >= wide && kept.extents()[0] - empty_rows(kept) == 1)
      warnings.push_back(fmt::format(
          "{} keeps 1 of {} channels, through which everything has to pass; --channel-score normalized ranks layers of unlike "
          "scale by their own",
          kept.name(), kept.extents()[0]));
  return warnings;
}

nlohmann::ordered_json as_json(lnpt::prune_report const& report) {
  nlohmann::ordered_json all{{"layers", nlohmann::json::array()}};
  for (auto const& layer : report.layers)
    all["layers"].push_back({{"name", layer.name}, {"total", layer.total}, {"kept", layer.kept}, {"reached", layer.reached}});
  all["sparsity_scored"] = report.sparsity_scored;
  all["sparsity_prunable"] = report.sparsity_prunable;
  all["emptied"] = report.emptied;
  all["unreached"] = report.unreached;
  all["dense"] = report.dense;
  all["not_prunable"] = nlohmann::json::array();
  for (auto const& each : report.not_prunable) all["not_prunable"].push_back({{"name", each.name}, {"total", each.total}});
  all["decided_by_position"] = report.decided_by_position;
  all["drawn_within_layers"] = report.drawn_within_layers;
  all["warnings"] = report.warnings;
  all["seconds"] = report.seconds;
  return all;
}

namespace {

void print_names(char const* what, std::vector<std::string> const& names) {
  if (!names.empty()) fmt::print("{}: {}\n", what, fmt::join(names, ", "));
}

/// Tables, own scales and norms with the weights that are left, so that a sparsity is not taken for that of the whole network.
void print_not_prunable(lnpt::prune_report const& report) {
  if (report.not_prunable.empty()) return;
  std::vector<std::string> names;
  std::size_t prunable = 0;
  std::size_t all = 0;
  for (auto const& layer : report.layers) prunable += layer.total;
  for (auto const& each : report.not_prunable) {
    names.push_back(each.name);
    all += each.total;
  }
  fmt::print("not prunable: {}; {} of {} weights are prunable\n", fmt::join(names, ", "), prunable, prunable + all);
}

void add_row(text_table& table, lnpt::layer_report const& layer) {
  constexpr std::size_t cells = 20;
  auto const share = layer.total == 0 ? 0.0 : static_cast<double>(layer.kept) / static_cast<double>(layer.total);
  auto const drawn = static_cast<std::size_t>(std::ceil(share * cells - 1e-9));
  table.add({layer.name, std::to_string(layer.total), std::to_string(layer.kept), fmt::format("{:.2f}", 100.0 * share),
             bar(share, cells) + std::string(cells - std::min(cells, drawn), ' ')});
}

}  // namespace

void print_report(lnpt::prune_report const& report) {
  text_table table({"layer", "weights", "kept", "kept %", ""});
  for (auto const& layer : report.layers) add_row(table, layer);
  table.print();
  fmt::print("sparsity {:.4f} of the scored weights, {:.4f} of all prunable weights, in {:.2f} s\n", report.sparsity_scored,
             report.sparsity_prunable, report.seconds);
  if (report.drawn_within_layers) fmt::print("the scores say how many weights each layer keeps, a draw by --seed which\n");
  print_names("emptied", report.emptied);
  print_names("not reached by the loss", report.unreached);
  print_names("left dense", report.dense);
  print_not_prunable(report);
  for (auto const& warning : report.warnings) fmt::print("warning: {}\n", warning);
}

}  // namespace cli
