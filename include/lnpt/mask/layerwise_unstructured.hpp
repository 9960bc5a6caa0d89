#pragma once
/// The same ratio in every parameter.
#include <algorithm>
#include <cstddef>
#include <span>

#include <lnpt/mask/keep_ranked.hpp>

namespace lnpt {

/// Keeps exactly n = ⌊d·N + ½ + 10⁻⁶⌋ of the N weights of each parameter, or `at_least` where that is more. Weights that count as
/// kept within the ratio lower d to a density that all parameters share.
struct layerwise_unstructured {
  using budget = sparsity;

  template <class T>
  [[nodiscard]] mask_set operator()(std::span<scored_parameter<T> const> parameters, selection const& wanted) const {
    mask_set masks;
    auto const ranked = weight_ranking(parameters, wanted, masks);
    auto const keep = shared_density(parameters, wanted);
    for (std::size_t p = 0; p < parameters.size(); ++p) {
      auto const certain = std::min(wanted.at_least, detail::ranked_count(ranked.parts[p]));
      auto const n = std::max(kept_count(keep, parameters[p].scores.size()), certain);
      keep_ranked(ranked.part(p), n, {0}, wanted.end);
    }
    return masks;
  }

 private:
  template <class T>
  [[nodiscard]] static density shared_density(std::span<scored_parameter<T> const> parameters, selection const& wanted) {
    if (wanted.already_kept.total == 0) return wanted.keep;
    std::size_t total = 0;
    for (auto const& parameter : parameters) total += parameter.scores.size();
    auto const n = kept_count(wanted.keep, total, wanted.already_kept);
    return density{total == 0 ? 1.0 : static_cast<double>(n) / static_cast<double>(total)};
  }
};

}  // namespace lnpt
