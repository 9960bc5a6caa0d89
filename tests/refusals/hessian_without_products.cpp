// expect: this criterion needs Hessian-vector products and the model has none
#include <lnpt/lnpt.hpp>

#include "support.hpp"

auto f(gradients_only& model, lnpt::labelled_batch<array> const& batch) {
  return lnpt::prune<lnpt::grasp>(model, batch, {.budget = lnpt::sparsity{0.95}});
}
