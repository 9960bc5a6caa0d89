#pragma once
/// Networks whose passes skip the pruned weights of parameters that stay whole.
#include <algorithm>
#include <utility>
#include <vector>

#include <lnpt/core/execution.hpp>
#include <lnpt/mask/mask_set.hpp>
#include <lnpt/nn/keep_only.hpp>
#include <lnpt/nn/network_body.hpp>

namespace lnpt::nn {

/// Whether the weights that passes multiply by already will do for this mask: they hold all of the weights it keeps, and few more.
/// Making new ones takes as long as some products by them, and many rounds of pruning remove a few weights each.
template <class Array>
[[nodiscard]] bool still_serve(surviving_weights<Array> const& known, mask const& kept) {
  constexpr double worn = 0.7;
  auto const words = kept.words();
  bool const hold_all = std::ranges::equal(words, known.mask, [](auto wanted, auto held) { return (wanted & ~held) == 0; });
  return hold_all && static_cast<double>(kept.count()) > worn * static_cast<double>(known.kept.pattern().kept());
}

/// Lets passes skip what is pruned under these masks; see `network::skip_pruned`.
template <class Backend>
void skip_pruned(network_body<Backend>& body, mask_set const& masks, execution how) {
  for (auto& p : body.parameters) {
    restore(p);
    if (!masks.find(p.name)) p.surviving.reset();
  }
  for_each_masked(body, masks, [how](auto& p, mask const& kept) {
    if (how != execution::dense && p.surviving && still_serve(*p.surviving, kept)) return;
    p.surviving.reset();
    if (auto few = Backend::keep_only(p.value, kept.words(), how))
      p.surviving.emplace(std::vector(kept.words().begin(), kept.words().end()), std::move(*few));
  });
}

}  // namespace lnpt::nn
