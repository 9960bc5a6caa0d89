// expect: this is not a mask strategy
#include <lnpt/lnpt.hpp>

#include "support.hpp"

struct threshold {};
auto f(gradients_only& model, lnpt::labelled_batch<array> const& batch) {
  return lnpt::prune<lnpt::snip, threshold>(model, batch, {.budget = lnpt::sparsity{0.95}});
}
