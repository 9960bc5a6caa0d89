#pragma once
// The mask strategy that docs/extend.md adds.
#include <algorithm>
#include <functional>
#include <lnpt/lnpt.hpp>

/// The same ratio in every row of a weight, so that each output keeps as many inputs; of equal scores the first stays.
/// Sun, Liu, Bair, Kolter, ICLR 2024, arXiv:2306.11695, compare weights in this group.
struct row_unstructured {
  using budget = lnpt::sparsity;

  template <class T>
  lnpt::mask_set operator()(std::span<lnpt::scored_parameter<T> const> parameters, lnpt::selection const& wanted) const {
    lnpt::mask_set masks;
    lnpt::require_finite(lnpt::weight_ranking(parameters, wanted, masks));  // blank masks, and a look at the scores
    for (auto mask = masks.begin(); auto const& parameter : parameters) {
      auto const* const survivors = wanted.survivors ? wanted.survivors->find(parameter.name) : nullptr;
      auto const scores = parameter.scores.on_host();
      auto const width = scores.size() / parameter.extents[0];
      for (std::size_t row = 0; row < scores.size(); row += width) {
        std::vector<std::size_t> order;
        for (auto i = row; i < row + width; ++i)
          if (!survivors || (*survivors)[i]) order.push_back(i);
        std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) {
          return wanted.end == lnpt::keep_end::highest ? scores[a] > scores[b] : scores[a] < scores[b];
        });
        order.resize(std::min(order.size(), std::max(lnpt::kept_count(wanted.keep, width), wanted.at_least)));
        for (auto const i : order) mask->set(i, true);
      }
      ++mask;
    }
    return masks;
  }
};
