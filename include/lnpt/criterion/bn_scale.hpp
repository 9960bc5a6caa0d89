#pragma once
/// Scales of batch norm as the worth of channels: network slimming. Liu et al., ICCV 2017, arXiv:1708.06519.
#include <lnpt/evidence/norm_scales.hpp>

namespace lnpt {

/// How much of a channel its batch norm lets through, for strategies that take whole channels: the sum over its filter's weights is
///
///     S_c = | γ_c |
///
/// Larger is kept. Reads neither data nor labels; says most after training with `slimming`, `polarization` or `structure_selection`.
/// Filters without batch norm have no score.
struct bn_scale {
  using evidence = evidence_list<norm_scales>;
  static constexpr bool scores_filters = true;
  constexpr auto operator()(auto const& scales) const { return 1.0 * scales; }
};

}  // namespace lnpt
