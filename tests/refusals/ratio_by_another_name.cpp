// expect: the ratio of prune_options is called budget
#include <lnpt/criterion/snip.hpp>
#include <lnpt/prune.hpp>

#include "support.hpp"

auto f(gradients_only& model, lnpt::labelled_batch<array> const& batch) {
  return lnpt::prune<lnpt::snip>(model, batch, {.sparsity = 0.9});
}
