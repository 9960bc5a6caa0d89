#pragma once
/// What criteria have in common whose scores are their evidence.
#include <lnpt/core/normalization.hpp>
#include <lnpt/evidence/evidence.hpp>
#include <lnpt/loss/no_loss.hpp>

namespace lnpt {

/// A criterion that takes the evidence as it is, from unlabelled data, without a loss and with batch norm in eval mode.
template <class Evidence>
struct scored_by {
  using evidence = evidence_list<Evidence>;
  static constexpr bool scores_filters = true;
  static constexpr no_loss default_loss{};
  static constexpr auto norm = norm_mode::eval;

  constexpr auto operator()(auto const& found) const { return 1.0 * found; }
};

}  // namespace lnpt
