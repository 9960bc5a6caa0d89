// expect: a bare number does not say what it counts
#include <lnpt/lnpt.hpp>

#include "support.hpp"

auto f(gradients_only& model, lnpt::labelled_batch<array> const& batch) {
  return lnpt::prune<lnpt::snip, lnpt::coupled_channels<lnpt::flops>>(model, batch, {.budget = 0.65});
}
