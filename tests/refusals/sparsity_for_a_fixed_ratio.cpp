// expect: this mask strategy sets the sparsity itself
#include <lnpt/lnpt.hpp>

#include "support.hpp"

auto f(gradients_only& model, lnpt::labelled_batch<array> const& batch) {
  return lnpt::prune<lnpt::snip, lnpt::n_of_m<2, 4>>(model, batch, {.budget = lnpt::sparsity{0.75}});
}
