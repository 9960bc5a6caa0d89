#pragma once
// The criterion that CONTRIBUTING.md adds, as a user would write it in a file of their own.
#include <lnpt/lnpt.hpp>

/// Movement pruning: keeps weights that the loss pushes away from zero. Sanh, Wolf, Rush, NeurIPS 2020, arXiv:2005.07683.
///
///     S = −θ ⊙ g,      g = ∂L/∂θ
struct my_movement {
  using evidence = lnpt::evidence_list<lnpt::weight, lnpt::gradient>;
  static constexpr lnpt::cross_entropy default_loss{};
  static constexpr auto norm = lnpt::norm_mode::train;

  constexpr auto operator()(auto const& theta, auto const& g) const { return -1.0 * theta * g; }
};
