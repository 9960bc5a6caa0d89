#pragma once
/// The criterion of prune() where nobody names one.
#include <lnpt/criterion/snip.hpp>
#include <lnpt/loss/distillation.hpp>

namespace lnpt {

/// SNIP's connection sensitivity under the teacher's class probabilities, which reads no label:
///
///     S = | θ ⊙ g |,      g = ∂L/∂θ,  L the distillation loss at temperature 4
///
/// Larger is kept. Every layer keeps a fiftieth of its even part of the weights that stay, and one, so that none is emptied. What it was
/// chosen among and how it fared stands in docs/measurements.md. Cost: one forward and backward.
struct teacher_guided : snip {
  static constexpr distillation default_loss{};
  static constexpr double layer_floor = 0.02;
};

}  // namespace lnpt
