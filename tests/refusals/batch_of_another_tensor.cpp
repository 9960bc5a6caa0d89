// expect: the batch holds another tensor type than the model
#include <lnpt/lnpt.hpp>

#include "support.hpp"

auto f(lnpt::network<lnpt::cpu::backend<float>>& model, lnpt::labelled_batch<array> const& batch) {
  return lnpt::prune<lnpt::snip>(model, batch, {.budget = lnpt::sparsity{0.95}});
}
