#pragma once
/// The criterion of prune() where nobody names one.
#include <lnpt/criterion/snip.hpp>
#include <lnpt/loss/distillation.hpp>

namespace lnpt {

/// SNIP's connection sensitivity under the teacher's class probabilities, which reads no label, says how many weights each layer of a fresh
/// student keeps; a draw says which.
///
///     S = | θ ⊙ g |,      g = ∂L/∂θ,  L the distillation loss at temperature 4
///
/// Larger is kept. A hundred images tell the one reliably and the other hardly: of the weights that S itself keeps on some images half are
/// others on other images, while a draw within each layer trains no worse (Frankle, Dziugaite, Roy, Carbin 2021, arXiv:2009.08576;
/// docs/measurements.md). A network that decides as its teacher already is not drawn from: there S says both. Every layer keeps one weight
/// and a fiftieth of its even part of the weights that stay, so that none is emptied. Scores starve late layers, and nothing passes a
/// starved layer that no shortcut leads around: such a layer keeps seven tenths of an equal part, n / L of n weights in L layers, or all it
/// has. Layers through which everything flows have equal parts under SynFlow too (Tanaka et al. 2020, arXiv:2006.05467).
///
/// Cost: in each round one forward and backward and, where the mask heeds floors and the caller says none, one forward of four samples for
/// each layer; and one of the first batch where a draw would decide: by `global_unstructured`, in one round of a whole network.
struct teacher_guided : snip {
  static constexpr distillation default_loss{};
  static constexpr double layer_floor = 0.02;
  static constexpr double indispensable_share = 0.7;
  static constexpr bool draws_within_layers = true;
};

}  // namespace lnpt
