// expect: this criterion needs gradients and the model has none
#include <lnpt/lnpt.hpp>

#include "support.hpp"

auto f(weights_only& model, lnpt::labelled_batch<array> const& batch) {
  return lnpt::prune<lnpt::snip>(model, batch, {.budget = lnpt::sparsity{0.95}});
}
