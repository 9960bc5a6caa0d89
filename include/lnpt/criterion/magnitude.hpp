#pragma once
/// Magnitude pruning, the baseline. Han, Pool, Tran, Dally, NeurIPS 2015, arXiv:1506.02626.
#include <cmath>

#include <lnpt/evidence/evidence.hpp>

namespace lnpt {

/// How large a weight is.
///
///     S = | θ |
///
/// Reads neither data nor labels. Larger is kept.
struct magnitude {
  using evidence = evidence_list<weight>;
  constexpr auto operator()(auto const& theta) const {
    using std::abs;
    return abs(theta);
  }
};

}  // namespace lnpt
