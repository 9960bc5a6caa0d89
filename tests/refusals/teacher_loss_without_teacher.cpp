// expect: this loss compares against a teacher, and there is none
#include <lnpt/lnpt.hpp>

#include "support.hpp"

auto f(features_only& model, lnpt::unlabelled_batch<array> const& batch) {
  return lnpt::prune<lnpt::feature_map_synaptic<>>(model, batch, {.budget = lnpt::sparsity{0.95}});
}
