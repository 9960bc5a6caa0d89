// expect: this is not a criterion
#include <lnpt/lnpt.hpp>

#include "support.hpp"

struct saliency {};
auto f(gradients_only& model, lnpt::labelled_batch<array> const& batch) {
  return lnpt::prune<saliency>(model, batch, {.budget = lnpt::sparsity{0.95}});
}
