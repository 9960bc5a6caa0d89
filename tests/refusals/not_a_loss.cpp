// expect: this is not a loss
#include <lnpt/lnpt.hpp>

#include "support.hpp"

auto f(features_only& model, lnpt::unlabelled_batch<array> const& batch, lnpt::known_predictions<array> const& guide) {
  return lnpt::prune<lnpt::snip>(model, batch, guide, 0.5, {.budget = lnpt::sparsity{0.95}});
}
