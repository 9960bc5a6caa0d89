// expect: this loss compares against labels, but the batches carry none
#include <lnpt/lnpt.hpp>

#include "support.hpp"

auto f(features_only& model, lnpt::unlabelled_batch<array> const& batch) {
  return lnpt::prune<lnpt::snip>(model, batch, {.budget = lnpt::sparsity{0.95}});
}
