// expect: a bare number does not say whether it counts weights or output channels
#include <lnpt/lnpt.hpp>

#include "support.hpp"

auto f(gradients_only& model, lnpt::labelled_batch<array> const& batch) {
  return lnpt::prune<lnpt::snip, lnpt::channel_structured>(model, batch, {.budget = 0.5});
}
