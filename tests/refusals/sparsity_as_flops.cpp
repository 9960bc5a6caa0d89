// expect: this mask strategy counts what physical removal takes away
#include <lnpt/lnpt.hpp>

#include "support.hpp"

auto f(gradients_only& model, lnpt::labelled_batch<array> const& batch) {
  return lnpt::prune<lnpt::snip, lnpt::coupled_channels<lnpt::flops>>(model, batch, {.budget = lnpt::sparsity{0.9}});
}
