#pragma once
/// Channels under a budget, the smaller network, and the files it is written to.
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include <lnpt/structure/channel_map.hpp>
#include <lnpt/structure/counts.hpp>
#include <lnpt/structure/shrink.hpp>

#include "exported.hpp"
#include "ratio_plot.hpp"
#include "scoring.hpp"

namespace cli {

/// What a budget of channels may count.
inline constexpr spelling<lnpt::counted> budget_units[]{
    {"channels", lnpt::counted::channels}, {"parameters", lnpt::counted::parameters}, {"flops", lnpt::counted::flops}};

/// The flags of `prune` that concern whole channels.
struct shrink_choice {
  std::string budget;  ///< such as flops:0.65; empty: none
  bool round = false;
  bool shrink = false;
  bool constant_channel = false;
  bool recalibrate = false;
  bool keep_batch_norm = false;
  std::string onnx, ratios;

  void describe(CLI::App& command);
  /// Whether channels go with all that is coupled to them.
  [[nodiscard]] bool coupled() const { return !budget.empty(); }
  /// Reads the budget into the specification.
  void apply_to(pruning_spec& spec) const;
};

/// Lines of metadata of a smaller network's file: the description of the network it came from, and what stayed whole.
inline constexpr char const *before_key = "before", *left_whole_key = "left_whole";

/// What became of the network.
struct shrink_summary {
  lnpt::network_count before, after;
  lnpt::certificate certificate;
  std::vector<lnpt::whole_tensor> left_whole;
};

/// Files: the weights the network came from, how their names became its own, where the smaller network goes, and the .pt2 file that it is
/// written from where that is one, too.
struct shrink_files {
  std::string weights;
  lnpt::io::state_dict_options names;
  std::string out;
  exported_model exported = {};
};

/// Puts the smaller network and the masks of what is left in place of the masked one, proved on the scoring batch or, without one, on
/// noise; recalibrates its batch norms on all of the scoring data where that was asked for, after the proof; and saves the smaller
/// network, or the program small.pt2.
template <class T>
[[nodiscard]] shrink_summary shrink_and_save(cpu_network<T>& network, lnpt::mask_set& masks,
                                             scoring_data<lnpt::cpu::array<T>> const& data, shrink_choice const& choice,
                                             shrink_files const& files);

/// Writes a smaller network's state dict, as F64 where the weights were, and its description, small.json beside small.safetensors.
template <class T>
void save_smaller(cpu_network<T>& smaller, cpu_network<T>& before, lnpt::shape const& sample,
                  std::vector<lnpt::whole_tensor> const& left_whole, shrink_files const& files);

/// Before and after, layer by layer, and what stayed whole.
void print_sizes(lnpt::network_count const& before, lnpt::network_count const& after,
                 std::vector<lnpt::whole_tensor> const& left_whole);
[[nodiscard]] nlohmann::ordered_json sizes_as_json(lnpt::network_count const& before, lnpt::network_count const& after,
                                                   std::vector<lnpt::whole_tensor> const& left_whole);
/// The same and the certificate.
void print(shrink_summary const& summary);
[[nodiscard]] nlohmann::ordered_json as_json(shrink_summary const& summary);

/// What stayed whole as JSON, for the metadata of a file, and back.
[[nodiscard]] nlohmann::ordered_json left_whole_as_json(std::vector<lnpt::whole_tensor> const& left_whole);
[[nodiscard]] std::vector<lnpt::whole_tensor> parse_left_whole(std::string const& json);

/// The remaining fraction of every weight.
[[nodiscard]] std::vector<layer_ratio> ratios_of(lnpt::prune_report const& report);

}  // namespace cli
