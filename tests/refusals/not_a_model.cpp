// expect: this is not a model
#include <lnpt/lnpt.hpp>

#include "support.hpp"

struct engine {};
auto f(engine& model, lnpt::labelled_batch<array> const& batch) {
  return lnpt::prune<lnpt::snip>(model, batch, {.budget = lnpt::sparsity{0.95}});
}
