#pragma once
/// Which statistics batch normalisation uses while a model is scored.
#include <memory>
#include <vector>

namespace lnpt {

/// `train`: the statistics of this batch, differentiated through. `frozen`: the statistics of this batch (biased variance) as
/// constants, so that outputs equal `train`'s and samples stay independent. `eval`: the running statistics.
enum class norm_mode { train, frozen, eval };

/// Mean and biased variance per channel of one normalisation layer.
struct channel_moments {
  std::vector<double> mean;
  std::vector<double> variance;
};

/// A mode and, for `frozen`, the constants that `freeze` took over a whole scoring batch: one entry per normalisation layer, in
/// the model's order. `frozen` without constants takes them from the very batch it is applied to.
struct normalization {
  norm_mode mode = norm_mode::eval;
  std::shared_ptr<std::vector<channel_moments> const> constants = nullptr;
};

}  // namespace lnpt
