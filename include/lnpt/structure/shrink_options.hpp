#pragma once
/// How to shrink, on every engine.
#include <cstdint>

namespace lnpt {

/// How to shrink.
struct shrink_options {
  /// Where masked channels still say a constant that a padded convolution reads, keep one of them and let it stand for all: exact. Else
  /// they stay whole, since the border reads zeros and a bias cannot say so.
  bool constant_channel = false;
  std::uint64_t seed = 0;  ///< of the inputs of the trials
};

}  // namespace lnpt
