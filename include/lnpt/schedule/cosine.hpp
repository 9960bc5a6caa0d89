#pragma once
/// The learning-rate schedule of training.
#include <cmath>
#include <cstddef>
#include <numbers>

namespace lnpt::schedule {

/// Half a cosine from `initial` to 0. Loshchilov, Hutter, ICLR 2017, arXiv:1608.03983.
///
///     lr(t) = ½ lr₀ (1 + cos(π t / T)),      t counts steps
struct cosine {
  [[nodiscard]] double operator()(std::size_t step, std::size_t steps, double initial) const {
    return 0.5 * initial * (1.0 + std::cos(std::numbers::pi * static_cast<double>(step) / static_cast<double>(steps)));
  }
};

}  // namespace lnpt::schedule
