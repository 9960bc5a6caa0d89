#pragma once
/// The record of a pass, for a later pass to replay.
#include <memory>
#include <vector>

namespace lnpt::autodiff {

/// What a pass computed, in the order in which it did: what a later pass over the same rules can replay. Left out is what that pass
/// computes again as quickly as it would read it (combinations, activation functions, affine ones), and what no rule reads (gradients
/// of weights).
template <class Backend>
struct tape {
  std::vector<std::shared_ptr<typename Backend::array const>> tensors;
  std::vector<std::shared_ptr<typename Backend::indices const>> indices;
  std::vector<typename Backend::channels> channels;
};

}  // namespace lnpt::autodiff
