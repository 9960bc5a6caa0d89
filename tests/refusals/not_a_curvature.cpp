// expect: this is not a curvature policy
#include <lnpt/criterion/obd.hpp>
#include <lnpt/prune.hpp>

#include "support.hpp"

struct fisher {};
auto f(gradients_only& model, lnpt::labelled_batch<array> const& batch) {
  return lnpt::prune<lnpt::obd<fisher>>(model, batch, {.budget = lnpt::sparsity{0.95}});
}
