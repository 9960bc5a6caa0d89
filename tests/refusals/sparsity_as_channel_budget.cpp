// expect: this mask strategy counts output channels, not weights
#include <lnpt/lnpt.hpp>

#include "support.hpp"

auto f(gradients_only& model, lnpt::labelled_batch<array> const& batch) {
  return lnpt::prune<lnpt::snip, lnpt::channel_structured>(model, batch, {.budget = lnpt::sparsity{0.5}});
}
