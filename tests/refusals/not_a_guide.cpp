// expect: this is not a guide
#include <lnpt/lnpt.hpp>

#include "support.hpp"

auto f(features_only& model, features_only& trained, lnpt::unlabelled_batch<array> const& batch) {
  return lnpt::prune<lnpt::feature_map_synaptic<>>(model, batch, trained, {.budget = lnpt::sparsity{0.95}});
}
