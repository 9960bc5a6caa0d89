#pragma once
/// Pruning by search: `lnpt prune --method eagle_eye --budget flops:.5 --data …`.
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include <lnpt/filters/eagle_eye.hpp>
#include <lnpt/structure/counts.hpp>

#include "scoring.hpp"

namespace cli {

/// The flags of `prune` that concern a search.
struct search_choice {
  std::string judge = "agreement";
  lnpt::eagle_eye_options options;

  void describe(CLI::App& command);
  /// Whether candidates are judged by labels. Refuses other judges than those there are.
  [[nodiscard]] bool reads_labels() const;
};

/// What became of the network.
struct search_summary {
  lnpt::network_count before, after;
  std::size_t images = 0, draws = 0, best = 0;
  std::vector<std::size_t> agreeing;
  bool by_labels = false;
};

/// Puts the best candidate in the place of the given network. `budget`: what of the multiply–adds goes, as flops:0.5.
template <class T>
[[nodiscard]] search_summary search(cpu_network<T>& network, scoring_data<lnpt::cpu::array<T>> const& data,
                                    search_choice const& choice, std::string const& budget, std::uint64_t seed);

void print(search_summary const& summary);
[[nodiscard]] nlohmann::ordered_json as_json(search_summary const& summary);

}  // namespace cli
