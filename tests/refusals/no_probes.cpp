// expect: gauss_newton needs at least one probe
#include <lnpt/lnpt.hpp>

#include "support.hpp"

auto f(features_only& model, lnpt::unlabelled_batch<array> const& batch, lnpt::known_predictions<array> const& guide) {
  return lnpt::prune<lnpt::feature_map_synaptic<lnpt::gauss_newton<0>>>(model, batch, guide, {.budget = lnpt::sparsity{0.95}});
}
