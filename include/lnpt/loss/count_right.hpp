#pragma once
/// How often logits are right.
#include <cstddef>
#include <cstdint>
#include <vector>

#include <lnpt/core/agreement.hpp>
#include <lnpt/loss/concept.hpp>
#include <lnpt/loss/functions.hpp>

namespace lnpt {

/// How many rows of logits [B, K] decide for their label. `first`: which sample of all the first row is, for refusals. Throws where a label is
/// outside [0, K), so that no decision could agree with it, and where a logit is NaN or infinite.
template <tensor T>
[[nodiscard]] std::size_t count_right(T const& logits, std::vector<std::int64_t> const& labels, std::size_t first = 0) {
  detail::check_labels(labels, logits, first);
  return count_agreeing(decided_classes(logits), labels);
}

}  // namespace lnpt
