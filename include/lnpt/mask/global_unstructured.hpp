#pragma once
/// One ranking over all scored weights.
#include <cstddef>
#include <span>
#include <vector>

#include <lnpt/mask/keep_ranked.hpp>

namespace lnpt {

/// Keeps exactly n = ⌊d·N + ½ + 10⁻⁶⌋ of all N scored weights, whichever parameters they are in.
struct global_unstructured {
  using budget = sparsity;

  template <class T>
  [[nodiscard]] mask_set operator()(std::span<scored_parameter<T> const> parameters, selection const& wanted) const {
    mask_set masks;
    auto const ranked = weight_ranking(parameters, wanted, masks);
    std::size_t total = 0;
    for (auto const& parameter : parameters) total += parameter.scores.size();
    auto const n = kept_count(wanted.keep, total, wanted.already_kept);
    keep_ranked(ranked, n, std::vector(parameters.size(), wanted.at_least), wanted.end);
    return masks;
  }
};

}  // namespace lnpt
