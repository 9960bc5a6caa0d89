#pragma once
/// Calls that fail on request, and what all of the double's libraries count.
#include <stdexcept>

namespace cuda_double {

/// What a GPU answers with cudaErrorIllegalAddress.
struct illegal_address : std::runtime_error {
  using runtime_error::runtime_error;
};

struct counters {
  long calls = 0, launches = 0, waits = 0, objects = 0;
  long engine = -1;       ///< of the convolution queued last
  long milliseconds = 0;  ///< that convolutions have taken, by their engines' own account
};
inline counters count;

/// Counts a call; true for the one that is to fail.
[[nodiscard]] bool fails();

}  // namespace cuda_double
