#pragma once
/// Which statistics batch normalisation uses while a model is scored.
#include <any>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string_view>

#include <lnpt/core/error.hpp>

namespace lnpt {

/// `train`: the statistics of this batch, differentiated through. `frozen`: the statistics of this batch (biased variance) as
/// constants, so that outputs equal `train`'s and samples stay independent. `eval`: the running statistics.
enum class norm_mode { train, frozen, eval };

/// A batch of which this process has a part and others have the rest.
struct shared_batch {
  double share;                                ///< of the batch's samples that this process has
  std::function<void(std::span<double>)> sum;  ///< makes numbers their sums over all parts; every process calls it alike
};

/// A mode and, for `frozen`, the constants that a model's `freeze` took over a whole scoring batch. The constants are of a type that
/// their engine alone knows, and stay on its device. `frozen` without constants takes them from the very batch it is applied to. `train` takes the statistics
/// of the whole of a `shared` batch, on the library's own engine in host memory; first derivatives alone go through them.
struct normalization {
  norm_mode mode = norm_mode::eval;
  std::shared_ptr<std::any const> constants = nullptr;
  std::shared_ptr<shared_batch const> shared = nullptr;
};

/// Constants of an engine's type `Constants`, for that engine to read; refuses those of another engine.
template <class Constants>
[[nodiscard]] Constants const& constants_of(normalization const& norm) {
  auto const* const found = std::any_cast<Constants>(norm.constants.get());
  if (!found) fail("these normalisation constants were frozen by another engine: pass what freeze() of this model returned");
  return *found;
}

/// Refuses to take a layer's statistics from one value per channel: that value is its own mean, so that nothing of the batch but
/// rounding passes the layer.
inline void refuse_one_value_per_channel(std::string_view layer, std::size_t values) {
  if (values == 1)
    fail("batch norm ", layer,
         " would take its statistics from one value per channel, of which nothing but rounding passes: pass more "
         "samples or larger images, or score with batch norm in eval mode");
}

}  // namespace lnpt
