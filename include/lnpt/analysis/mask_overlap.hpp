#pragma once
/// How alike two masks of one network are.
#include <algorithm>
#include <bit>
#include <cstddef>

#include <lnpt/core/error.hpp>
#include <lnpt/mask/mask_set.hpp>

namespace lnpt {

/// The fraction of kept weights that two sets of masks share: 1 where they are the same, about the density where they know nothing of
/// each other.
///
///     |A ∩ B| / max(|A|, |B|)
///
/// Counted over parameters that either set has a mask for; one that only the other masks is dense in this one. Between two criteria it
/// says whether they choose alike, between two disjoint scoring samples how stable one criterion is. Throws where masks of one name are
/// of different size, or where nothing is kept.
[[nodiscard]] inline double mask_overlap(mask_set const& a, mask_set const& b) {
  std::size_t both = 0;
  std::size_t in_a = 0;
  std::size_t in_b = 0;
  for (auto const& mine : a) {
    auto const* const other = b.find(mine.name());
    if (other != nullptr && other->size() != mine.size())
      fail("the masks of ", mine.name(), " are for ", mine.size(), " and for ", other->size(),
           " weights: compare masks of one network");
    in_a += mine.count();
    in_b += other == nullptr ? mine.size() : other->count();
    if (other == nullptr) {
      both += mine.count();
      continue;
    }
    for (std::size_t w = 0; w < mine.words().size(); ++w)
      both += static_cast<std::size_t>(std::popcount(mine.words()[w] & other->words()[w]));
  }
  for (auto const& theirs : b) {
    if (a.find(theirs.name()) != nullptr) continue;
    in_a += theirs.size();
    in_b += theirs.count();
    both += theirs.count();
  }
  if (std::max(in_a, in_b) == 0) fail("the overlap of masks that keep nothing is no number: compare masks that keep something");
  return static_cast<double>(both) / static_cast<double>(std::max(in_a, in_b));
}

}  // namespace lnpt
