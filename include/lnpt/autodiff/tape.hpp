#pragma once
/// The record of a pass, for a later pass to replay.
#include <memory>
#include <vector>

namespace lnpt::autodiff {

/// The results of a pass in the order of their computation, which a later pass over the same rules replays. The tape leaves out results
/// that are computed again as quickly as they are read (combinations, activation functions, affine functions), and gradients of weights,
/// which no rule reads.
template <class Backend>
struct tape {
  std::vector<std::shared_ptr<typename Backend::array const>> tensors;
  std::vector<std::shared_ptr<typename Backend::indices const>> indices;
  std::vector<typename Backend::channels> channels;
};

}  // namespace lnpt::autodiff
