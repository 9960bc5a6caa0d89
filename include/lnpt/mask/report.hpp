#pragma once
/// What pruning did, as plain data.
#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/mask/mask_set.hpp>

namespace lnpt {

/// One prunable parameter.
struct layer_report {
  std::string name;
  std::size_t total = 0;
  std::size_t kept = 0;
  bool reached = true;  ///< whether the loss depends on it, so that it has scores
};

/// The outcome of pruning a model.
struct prune_report {
  std::vector<layer_report> layers;        ///< every prunable parameter, in the order of the model
  double sparsity_scored = 0;              ///< removed, of the weights that have scores
  double sparsity_prunable = 0;            ///< removed, of all prunable weights
  std::vector<std::string> emptied;        ///< layers left without a weight (layer collapse)
  std::vector<std::string> unreached;      ///< layers that the loss does not reach
  std::vector<std::string> dense;          ///< layers that the strategy could not prune and left dense
  std::vector<layer_report> not_prunable;  ///< parameters of two axes or more that are no weights: tables, own scales, norms
  std::size_t decided_by_position = 0;  ///< weights at a threshold that their place alone kept or removed, summed over all rounds
  bool drawn_within_layers = false;     ///< whether the scores said how many weights each layer keeps, and a draw which
  std::vector<std::string> warnings;    ///< what a user should know, a sentence each
  double seconds = 0;
};

namespace detail {

/// Sums of kept and of all weights, as the fraction that is gone.
struct removed_fraction {
  std::size_t total = 0;
  std::size_t kept = 0;

  void add(layer_report const& layer) {
    total += layer.total;
    kept += layer.kept;
  }
  [[nodiscard]] double value() const { return total == 0 ? 0.0 : static_cast<double>(total - kept) / static_cast<double>(total); }
};

}  // namespace detail

/// The report on these masks. `layers` comes with names, totals and `reached`; `kept` is filled in here, all of a layer that has no mask.
[[nodiscard]] inline prune_report make_report(mask_set const& masks, std::vector<layer_report> layers) {
  prune_report report;
  detail::removed_fraction scored;
  detail::removed_fraction prunable;
  for (auto& layer : layers) {
    auto const* const kept = masks.find(layer.name);
    if (kept != nullptr && kept->size() != layer.total)
      fail("the mask of ", layer.name, " is for ", kept->size(), " weights, not ", layer.total,
           ": report on the model it was made for");
    layer.kept = kept == nullptr ? layer.total : kept->count();
    if (layer.kept == 0 && layer.total != 0) report.emptied.push_back(layer.name);
    if (!layer.reached) report.unreached.push_back(layer.name);
    prunable.add(layer);
    if (layer.reached) scored.add(layer);
  }
  report.layers = std::move(layers);
  report.sparsity_scored = scored.value();
  report.sparsity_prunable = prunable.value();
  return report;
}

}  // namespace lnpt
