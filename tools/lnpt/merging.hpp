#pragma once
/// Pruning by merging units, without data: `lnpt prune --method merge --target .5 --box 0,1`.
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include <lnpt/merge/merge_units.hpp>
#include <lnpt/structure/counts.hpp>

#include "scoring.hpp"
#include "text.hpp"

namespace cli {

/// The flags of `prune` that concern merging.
struct merge_choice {
  std::string box;  ///< LOW,HIGH; empty: not given
  std::string mode = "stochastic", norm = "log1p";
  lnpt::merge_options options;

  void describe(CLI::App& command);
};

/// What became of the network.
struct merge_summary {
  lnpt::network_count before, after;
  std::vector<lnpt::merged_layer> layers;
  std::vector<lnpt::unit_merge> merges;
  lnpt::output_change change;
};

/// Puts the network with merged units in the place of the given one.
template <class T>
[[nodiscard]] merge_summary merge(cpu_network<T>& network, lnpt::shape const& sample, merge_choice const& choice,
                                  std::uint64_t seed);

/// Layers before and after, and how far outputs can have moved.
void print(merge_summary const& summary);
[[nodiscard]] nlohmann::ordered_json as_json(merge_summary const& summary);

}  // namespace cli
