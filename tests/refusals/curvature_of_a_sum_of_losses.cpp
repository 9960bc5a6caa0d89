// expect: this criterion needs the loss's curvature and the loss has none
#include <lnpt/lnpt.hpp>

#include "support.hpp"

auto f(features_only& model, lnpt::unlabelled_batch<array> const& batch, lnpt::known_predictions<array> const& guide) {
  return lnpt::prune<lnpt::obd<>>(model, batch, guide, lnpt::pseudo_label{} + 0.5 * lnpt::feature_mse{},
                                  {.budget = lnpt::sparsity{0.95}});
}
