#pragma once
/// Scores and masks for a criterion that is known only at run time.
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include <lnpt/backend/cpu/backend.hpp>
#include <lnpt/core/batch.hpp>
#include <lnpt/nn/network.hpp>
#include <lnpt/prune.hpp>
#include <lnpt/structure/coupled_channels.hpp>

#include "criterion.hpp"

namespace cli {

/// The CPU engine in one precision.
template <class T>
using cpu_network = lnpt::network<lnpt::cpu::backend<T>>;

/// What is at hand for scoring. Labels and teacher predictions may be missing; who reads them says so.
template <class T>
struct scoring_data {
  lnpt::shape sample;  ///< the shape of one input
  std::vector<lnpt::unlabelled_batch<T>> batches = {};
  std::optional<std::vector<std::vector<std::int64_t>>> labels = std::nullopt;        ///< one list per batch
  std::optional<std::vector<lnpt::prediction<T>>> teacher_prediction = std::nullopt;  ///< one per batch
  std::optional<std::uint64_t> teacher_fingerprint = std::nullopt;                    ///< of the teacher's weights
};

enum class mask_kind { global, layerwise, channels, channels_per_layer, two_of_four };
inline constexpr spelling<mask_kind> mask_names[]{{"global", mask_kind::global},
                                                  {"layerwise", mask_kind::layerwise},
                                                  {"channels", mask_kind::channels},
                                                  {"channels_per_layer", mask_kind::channels_per_layer},
                                                  {"2:4", mask_kind::two_of_four}};
/// Whether whole channels go.
[[nodiscard]] constexpr bool takes_channels(mask_kind kind) {
  return kind == mask_kind::channels || kind == mask_kind::channels_per_layer;
}
inline constexpr spelling<lnpt::unreached> unreached_names[]{{"keep", lnpt::unreached::keep},
                                                             {"keep_in_budget", lnpt::unreached::keep_in_budget},
                                                             {"magnitude", lnpt::unreached::magnitude}};

/// How to prune: the criterion, what is masked, and how much.
struct pruning_spec {
  criterion_spec criterion;
  mask_kind mask = mask_kind::global;
  double sparsity = 0;  ///< or, under a budget of channels, what of its unit goes
  lnpt::counted unit = lnpt::counted::channels;
  lnpt::channel_rounding rounding = {};
  lnpt::atom_set const* atoms = nullptr;  ///< of the network; null: each layer's own channels
  std::size_t at_least = 0;
  lnpt::unreached unreached = lnpt::unreached::keep;
  std::uint64_t seed = 0;
  lnpt::mask_set start = {};  ///< what earlier pruning left; empty: everything
  std::function<void(int round, int rounds)> progress = nullptr;
};

/// The scores of the model as it is.
template <class Model>
[[nodiscard]] lnpt::score_set<lnpt::tensor_of<Model>> score_once(Model& model, scoring_data<lnpt::tensor_of<Model>> const& data,
                                                                 criterion_spec const& criterion,
                                                                 lnpt::score_options const& options);

/// The scores of the last round towards the sparsity, before its mask; pruned weights have score 0. One round: of the model as it is.
template <class Model>
[[nodiscard]] lnpt::score_set<lnpt::tensor_of<Model>> score_in_rounds(Model& model,
                                                                      scoring_data<lnpt::tensor_of<Model>> const& data,
                                                                      pruning_spec const& spec);

/// Masks and report.
template <class Model>
[[nodiscard]] lnpt::prune_result prune_network(Model& model, scoring_data<lnpt::tensor_of<Model>> const& data,
                                               pruning_spec const& spec);

}  // namespace cli
