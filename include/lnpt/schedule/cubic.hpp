#pragma once
/// Fast at first, while weights are redundant, and ever slower.
#include <cstddef>

#include <lnpt/schedule/schedule.hpp>

namespace lnpt::schedule {

/// s_t = s + (0 − s)·(1 − t/T)³ for the sparsity s = 1 − d
///
/// Zhu, Gupta, "To prune, or not to prune: exploring the efficacy of pruning for model compression", 2017.
struct cubic {
  [[nodiscard]] density operator()(std::size_t t, std::size_t rounds, density last) const {
    auto const left = 1.0 - detail::progress(t, rounds);
    auto const final_sparsity = 1.0 - last.value();
    return left == 0.0 ? last : density{1.0 - final_sparsity * (1.0 - left * left * left)};
  }
};

}  // namespace lnpt::schedule
