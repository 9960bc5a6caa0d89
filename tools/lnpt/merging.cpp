#include "merging.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <fmt/format.h>
#include <functional>

#include "progress.hpp"
#include "shrinking.hpp"
#include "text_table.hpp"

namespace cli {

namespace {

constexpr spelling<lnpt::merge_mode> mode_names[]{
    {"stochastic", lnpt::merge_mode::stochastic}, {"impact", lnpt::merge_mode::impact}, {"saliency", lnpt::merge_mode::saliency}};
constexpr spelling<lnpt::impact_norm> norm_names_of_impact[]{
    {"log1p", lnpt::impact_norm::log1p}, {"sigmoid", lnpt::impact_norm::sigmoid}, {"raw", lnpt::impact_norm::raw}};

/// Refuses a target of more units than merging found to take one another up, before anything is written.
template <class Merged>
void require_target_met(double target, Merged const& found) {
  std::size_t units = 0;
  for (auto const& layer : found.layers) units += layer.before;
  auto const wanted = static_cast<std::size_t>(std::llround(target * static_cast<double>(units)));
  auto const merged = found.merges.size();
  if (merged >= wanted) return;
  auto const share = std::floor(1000.0 * static_cast<double>(merged) / static_cast<double>(units)) / 1000;
  refuse("--target ", target, " asks for ", wanted, " of ", units, " hidden units, and at most ", merged,
         " can be merged, since every layer keeps one: give --target ", share, " or less");
}

}  // namespace

void merge_choice::describe(CLI::App& command) {
  command.add_option("--target", options.target, "With --method merge: the fraction of the hidden units that goes")
      ->capture_default_str();
  command.add_option("--box", box, "With --method merge: LOW,HIGH, between which every number of an input lies, such as 0,1");
  command.add_option("--merge-step", options.step, "The fraction of a layer that is merged before bounds are computed again")
      ->capture_default_str();
  command
      .add_option("--merge-mode", mode,
                  "Which of the most alike pairs are taken: stochastic (simulated annealing), impact (the least harmful of twice "
                  "as many) or saliency (all)")
      ->capture_default_str();
  command.add_option("--impact-norm", norm, "How the width of a change enters the score: log1p, or as published sigmoid, or raw")
      ->capture_default_str();
  command.add_option("--annealing", options.temperature, "Temperature of the annealing, in units of the published one")
      ->capture_default_str();
}

template <class T>
merge_summary merge(cpu_network<T>& network, lnpt::shape const& sample, merge_choice const& choice, std::uint64_t seed) {
  if (choice.box.empty()) refuse("merging bounds what inputs can do: give --box LOW,HIGH, such as --box 0,1");
  auto const ends = parse_numbers<double>("end of a box", choice.box);
  if (ends.size() != 2) refuse("\"", choice.box, "\" is no box: write two numbers, such as 0,1");
  auto options = choice.options;
  options.mode = parse_choice("merge mode", mode_names, choice.mode);
  options.norm = parse_choice("impact norm", norm_names_of_impact, choice.norm);
  options.seed = seed;
  count_progress along("merging units");
  options.progress = std::ref(along);
  auto extents = sample;
  extents.insert(extents.begin(), 1);
  auto less = lnpt::merge_units(network, lnpt::box_of<lnpt::cpu::array<T>>(extents, ends[0], ends[1]), options);
  require_target_met(options.target, less);
  merge_summary summary{lnpt::count(network, sample), lnpt::count(less.model, sample), std::move(less.layers),
                        std::move(less.merges), std::move(less.change)};
  network = std::move(less.model);
  return summary;
}
template merge_summary merge(cpu_network<float>&, lnpt::shape const&, merge_choice const&, std::uint64_t);
template merge_summary merge(cpu_network<double>&, lnpt::shape const&, merge_choice const&, std::uint64_t);

void print(merge_summary const& s) {
  text_table table({"layer", "units", "left"});
  for (auto const& layer : s.layers) table.add({layer.name, std::to_string(layer.before), std::to_string(layer.after)});
  table.print();
  print_sizes(s.before, s.after, {});
  fmt::print("{} units merged; for no input in the box an output moves by more than {:.4g}\n", s.merges.size(),
             std::max(std::ranges::max(s.change.high), -std::ranges::min(s.change.low)));
}

nlohmann::ordered_json as_json(merge_summary const& s) {
  auto all = sizes_as_json(s.before, s.after, {});
  all["units"] = nlohmann::json::array();
  for (auto const& layer : s.layers)
    all["units"].push_back({{"layer", layer.name}, {"before", layer.before}, {"after", layer.after}});
  all["merges"] = nlohmann::json::array();
  for (auto const& each : s.merges)
    all["merges"].push_back({{"layer", each.layer},
                             {"removed", each.pair.removed},
                             {"into", each.pair.into},
                             {"saliency", each.pair.saliency},
                             {"impact", each.effect.impact},
                             {"entropy", each.effect.entropy},
                             {"score", each.score}});
  all["change"] = {{"low", s.change.low}, {"high", s.change.high}};
  return all;
}

}  // namespace cli
