#pragma once
/// Random pruning, the baseline that a criterion has to beat.
#include <lnpt/evidence/noise.hpp>

namespace lnpt {

/// A number of its own for every weight, the same for the same seed on every engine.
///
///     S ~ U(0, 1)
///
/// Under `using namespace lnpt` the plain name `random` also means POSIX's function of <cstdlib>: write `prune<lnpt::random>`.
struct random {
  using evidence = evidence_list<noise>;
  constexpr auto operator()(auto const& uniform) const { return 1.0 * uniform; }
};

}  // namespace lnpt
