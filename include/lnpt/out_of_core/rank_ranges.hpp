#pragma once
/// The threshold of weights that compete with one another, read from their files.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/out_of_core/blocks.hpp>
#include <lnpt/out_of_core/threshold.hpp>

namespace lnpt::out_of_core {

/// Refuses ranges with scores that are NaN or infinite, by name and count.
inline void require_finite(std::span<weight_range const> ranges, std::span<std::size_t const> nonfinite) {
  std::string found;
  for (std::size_t r = 0; r != ranges.size(); ++r)
    if (nonfinite[r] != 0)
      found += (found.empty() ? "" : ", ") + std::to_string(nonfinite[r]) + " of " + std::to_string(ranges[r].count) + " in " +
               ranges[r].tensor->tensor.name();
  if (!found.empty())
    fail("weights are NaN or infinite (", found, "), so nothing can be ranked: leave these tensors dense, or mend them");
}

/// The threshold that keeps n of all weights in these ranges.
[[nodiscard]] inline threshold rank_ranges(io::sharded_model const& model, std::span<weight_range const> ranges, std::uint64_t n,
                                           meter& along) {
  std::vector<weight_range> narrow;
  std::vector<weight_range> wide;
  for (auto const& range : ranges) (range.tensor->scores.is_narrow() ? narrow : wide).push_back(range);
  return find_threshold(n, !wide.empty(), [&](bool of_wide, auto const& visit) {
    auto const& those = of_wide ? wide : narrow;
    require_finite(those, for_each_keys(model, those, along, visit));
  });
}

}  // namespace lnpt::out_of_core
