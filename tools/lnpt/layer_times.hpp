#pragma once
/// How long each layer of a network takes.
#include <cstddef>
#include <string>
#include <vector>

#include <lnpt/core/shape.hpp>
#include <lnpt/mask/mask_set.hpp>

#include "scoring.hpp"

namespace cli {

/// Milliseconds of one layer by itself: by all weights, and as a pruned network multiplies. A prediction does batch norm, sums and
/// rectifiers with the convolution before them, and takes less than the sum.
struct layer_time {
  std::string name = {};
  double dense = 0, chosen = 0;
  bool sparse = false;  ///< whether `chosen` is by the kept weights alone
};

/// Runs of each kind, in turns; the least counts, so that what else the machine does is left out.
inline constexpr int timed_runs = 20;

/// The times of every layer, in the order of computation, for `batch` samples of noise.
[[nodiscard]] std::vector<layer_time> time_layers(cpu_network<float> const& network, lnpt::mask_set const& masks,
                                                  lnpt::shape const& sample, std::size_t batch);

}  // namespace cli
