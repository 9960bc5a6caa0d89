#include "prune_checkpoint.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <functional>
#include <nlohmann/json.hpp>

#include <lnpt/out_of_core/prune.hpp>

#include "empty_rows.hpp"
#include "progress.hpp"
#include "text_table.hpp"

namespace cli {

namespace {

namespace ooc = lnpt::out_of_core;

/// global, layerwise, rows, or N:M such as 2:4.
void set_pattern(ooc::prune_options& options, std::string const& mask) {
  constexpr spelling<ooc::pattern> names[]{
      {"global", ooc::pattern::global}, {"layerwise", ooc::pattern::layerwise}, {"rows", ooc::pattern::rows}};
  auto const sides = split(mask, ':');
  if (sides.size() != 2) {
    options.pattern = parse_choice("mask of a checkpoint (or N:M, such as 2:4)", names, mask);
    return;
  }
  options.pattern = ooc::pattern::n_of_m;
  options.n = parse_number<std::size_t>("N of N:M", sides[0]);
  options.m = parse_number<std::size_t>("M of N:M", sides[1]);
}

ooc::prune_options options_of(checkpoint_options const& o, checkpoint_request const& asked) {
  auto options = o.options(asked.criterion, asked.seed);
  options.replace = o.replace;
  set_pattern(options, asked.mask);
  auto const own_share = static_cast<double>(options.n) / static_cast<double>(options.m);
  auto const is_n_of_m = options.pattern == ooc::pattern::n_of_m;
  if (is_n_of_m && asked.density >= 0 && asked.density != own_share)
    refuse(asked.mask, " keeps ", own_share, " of the weights, not ", asked.density, ": leave --sparsity and --density out");
  if (!is_n_of_m && asked.density < 0) refuse("how much to remove is missing: give --sparsity, such as .5");
  if (!is_n_of_m) options.keep = lnpt::density{asked.density};
  return options;
}

double share(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
}

nlohmann::ordered_json as_json(ooc::report const& report) {
  nlohmann::ordered_json all{{"pruned", nlohmann::json::array()}, {"dense", nlohmann::json::array()}};
  for (auto const& each : report.pruned)
    all["pruned"].push_back({{"name", each.name}, {"total", each.total}, {"kept", each.kept}, {"empty_rows", each.empty_rows}});
  for (auto const& [name, reason] : report.dense) all["dense"].push_back({{"name", name}, {"reason", reason}});
  all["total"] = report.total();
  all["kept"] = report.kept();
  all["emptied"] = report.emptied();
  all["empty_rows"] = report.empty_rows();
  all["decided_by_position"] = report.decided_by_position;
  all["copied"] = report.copied;
  all["copied_weights"] = report.copied_weights();
  all["bytes"] = report.bytes;
  all["seconds"] = report.seconds;
  return all;
}

/// Rows that pruning emptied, and how to prune so that it does not.
std::string empty_rows_in_words(ooc::report const& report, std::string const& mask) {
  empty_row_count count;
  for (auto const& each : report.pruned) count.add(each.empty_rows);
  return count.in_words(mask == "rows" ? "" : ": --mask rows leaves every row its share");
}

/// The share of the weights that were to stay.
double asked_share(ooc::prune_options const& options) {
  if (options.pattern == ooc::pattern::n_of_m) return static_cast<double>(options.n) / static_cast<double>(options.m);
  return options.keep.value();
}

/// What to know of a model that had zeros before.
std::string zeros_before_in_words(ooc::report const& report, ooc::prune_options const& options) {
  constexpr double rounding = 0.005;
  if (share(report.kept(), report.total()) > asked_share(options) - rounding) return {};
  return fmt::format("the model held zeros before, so that more is 0 than the {:.4f} that was asked for: {}",
                     1 - asked_share(options),
                     options.criterion == ooc::criterion::magnitude && options.pattern != ooc::pattern::n_of_m
                         ? "they went first"
                         : "they are ranked like other weights by random scores, and count within each N:M group; --criterion "
                           "magnitude takes them first");
}

void print(ooc::report const& report, std::string const& out, std::string const& mask, ooc::prune_options const& options) {
  text_table table({"tensor", "weights", "kept", "kept %"});
  for (auto const& each : report.pruned)
    table.add({each.name, std::to_string(each.total), std::to_string(each.kept),
               fmt::format("{:.2f}", 100 * share(each.kept, each.total))});
  table.print();
  print_left_dense(report.dense);
  auto const names = [](char const* what, std::vector<std::string> const& those) {
    if (!those.empty()) fmt::print("{}: {}\n", what, fmt::join(those, ", "));
  };
  names("emptied", report.emptied());
  if (auto const line = empty_rows_in_words(report, mask); !line.empty()) fmt::print("{}\n", line);
  names("weights in files that the index does not name, copied as they are and not pruned", report.copied_weights());
  fmt::print("{}: sparsity {:.4f} of {} weights, {:.2f} GB in {:.1f} s\n", out, 1 - share(report.kept(), report.total()),
             report.total(), static_cast<double>(report.bytes) / 1e9, report.seconds);
  if (auto const line = zeros_before_in_words(report, options); !line.empty()) fmt::print("note: {}\n", line);
  if (share(report.decided_by_position, report.total()) > 0.01)
    fmt::print(
        "warning: {:.1f} % of the weights have the score of a threshold: which of them stay is decided by their place alone\n",
        100 * share(report.decided_by_position, report.total()));
}

}  // namespace

void checkpoint_options::describe(CLI::App& command) {
  checkpoint_choice::describe(
      command,
      "pruned file by file into the folder --out in little memory; criteria magnitude (default) and random, masks global, "
      "layerwise, rows and N:M");
  command.add_flag("--replace", replace, "With --checkpoint: swap an existing --out for the new one when that is whole");
}

void prune_checkpoint(checkpoint_options const& o, checkpoint_request const& asked) {
  auto options = options_of(o, asked);
  auto const result = [&] {
    byte_progress along;
    options.progress = std::ref(along);
    return ooc::prune(o.from, asked.out, options);
  }();
  if (asked.json)
    fmt::print("{}\n", as_json(result).dump(2));
  else
    print(result, asked.out, asked.mask, options);
}

}  // namespace cli
