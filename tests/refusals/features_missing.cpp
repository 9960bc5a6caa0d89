// expect: this loss reads the feature map and the model shows none
#include <lnpt/lnpt.hpp>

#include "support.hpp"

auto f(gradients_only& model, lnpt::unlabelled_batch<array> const& batch, lnpt::known_predictions<array> const& guide) {
  return lnpt::prune<lnpt::feature_map_synaptic<>>(model, batch, guide, {.budget = lnpt::sparsity{0.95}});
}
