#pragma once
/// The mean loss of an epoch, from as few looks as asked for.
#include <cmath>
#include <cstddef>

#include <lnpt/core/error.hpp>

namespace lnpt {

/// Decides at which steps of an epoch the loss is looked at, and averages what was seen. The last step is always looked at.
class loss_meter {
 public:
  /// `every`: steps between looks; 0: only the last.
  loss_meter(std::size_t epoch, std::size_t steps, std::size_t every) : epoch_(epoch), steps_(steps), every_(every) {}

  [[nodiscard]] bool looks_at(std::size_t step) const { return step + 1 == steps_ || (every_ > 0 && step % every_ == 0); }

  /// Takes a loss into the mean; throws `lnpt::error` where it is not finite.
  void add(double loss) {
    if (!std::isfinite(loss)) fail("the training loss became ", loss, " in epoch ", epoch_ + 1, ": lower the learning rate");
    total_ += loss;
    ++looks_;
  }
  [[nodiscard]] double mean() const { return total_ / static_cast<double>(looks_); }

 private:
  std::size_t epoch_, steps_, every_;
  double total_ = 0;
  std::size_t looks_ = 0;
};

}  // namespace lnpt
