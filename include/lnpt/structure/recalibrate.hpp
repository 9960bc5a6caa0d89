#pragma once
/// Running statistics for the network as it now is.
#include <cstddef>
#include <span>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/core/model.hpp>

namespace lnpt {

/// Sets the running mean and variance of every batch-norm layer to those of these inputs, which need no labels: pruning moves the
/// statistics that a network was trained with. Li et al., "EagleEye", ECCV 2020, arXiv:2007.02491.
///
/// `parts` are batches of one calibration set, whose moments are exact over all of them: layer by layer, each on the statistics set
/// before it. Weights stay as they are. Costs one forward pass; activations of all parts are held one layer at a time. Throws
/// `lnpt::error` without inputs.
template <freezes_normalization Model>
void recalibrate(Model& model, std::span<tensor_of<Model> const> parts) {
  if (parts.empty()) fail("recalibration needs inputs: pass at least one batch");
  auto const norm = model.freeze(parts);
  std::vector<parameter<tensor_of<Model>>> means, variances;
  for (auto const& b : buffers_of(model)) {
    if (b.role == role::running_mean) means.push_back(b);
    if (b.role == role::running_variance) variances.push_back(b);
  }
  auto const layers = norm.constants ? norm.constants->size() : 0;
  if (means.size() != layers || variances.size() != layers)
    fail("the model has ", means.size(), " running means and ", variances.size(), " running variances for ", layers,
         " normalisation layers: recalibrate one that keeps both for each");
  auto const set = [](parameter<tensor_of<Model>> const& into, std::vector<double> const& values) {
    std::vector<value_type<tensor_of<Model>>> const converted(values.begin(), values.end());
    assign(*into.value, make_tensor<tensor_of<Model>>({converted.size()}, converted, *into.value));
  };
  for (std::size_t i = 0; i < layers; ++i) {
    set(means[i], (*norm.constants)[i].mean);
    set(variances[i], (*norm.constants)[i].variance);
  }
}

}  // namespace lnpt
