#pragma once
/// How much of a mask another one keeps.
#include <lnpt/mask/mask_set.hpp>

/// The fraction of `exact`'s weights that `probed` keeps too.
inline double overlap(lnpt::mask_set const& exact, lnpt::mask_set const& probed) {
  double both = 0, all = 0;
  for (auto const& m : exact)
    for (std::size_t i = 0; i < m.size(); ++i) {
      all += m[i];
      both += m[i] && (*probed.find(m.name()))[i];
    }
  return both / all;
}
