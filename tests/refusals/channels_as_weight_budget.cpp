// expect: this mask strategy counts weights, not output channels
#include <lnpt/lnpt.hpp>

#include "support.hpp"

auto f(gradients_only& model, lnpt::labelled_batch<array> const& batch) {
  return lnpt::prune<lnpt::snip>(model, batch, {.budget = lnpt::channels{0.5}});
}
