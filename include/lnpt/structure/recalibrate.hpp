#pragma once
/// Running statistics for the network as it now is.
#include <span>

#include <lnpt/core/error.hpp>
#include <lnpt/core/model.hpp>

namespace lnpt {

/// Sets the running mean and variance of every batch-norm layer to those of these inputs, which need no labels: pruning moves the
/// statistics that a network was trained with. Li et al., "EagleEye", ECCV 2020, arXiv:2007.02491.
///
/// `parts` are batches of one calibration set, whose moments are exact over all of them: layer by layer, each on the statistics set
/// before it. Weights stay as they are. Costs one forward pass; activations of all parts are held one layer at a time. Throws
/// `lnpt::error` without inputs, and for statistics that are not finite; the model is then as it was.
template <adopts_normalization Model>
void recalibrate(Model& model, std::span<tensor_of<Model> const> parts) {
  if (parts.empty()) fail("recalibration needs inputs: pass at least one batch");
  model.adopt(model.freeze(parts));
}

}  // namespace lnpt
