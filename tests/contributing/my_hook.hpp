#pragma once
// The training hook that docs/extend.md adds.
#include <lnpt/lnpt.hpp>

/// Gradient clipping: no step longer than that of a gradient of length c. Pascanu, Mikolov, Bengio, ICML 2013, arXiv:1211.5063.
///
///     g ← g · min(1, c / ‖g‖),      ‖g‖ over all parameters
struct clip_gradients {
  double longest = 1;

  template <class T>
  void before_step(lnpt::training_step<T>& step) const {
    double squares = 0;
    for (auto const& g : step.gradients)
      if (g) squares += lnpt::total(T(*g * *g));
    if (squares <= longest * longest) return;
    auto const factor = static_cast<lnpt::value_type<T>>(longest / std::sqrt(squares));
    for (auto& g : step.gradients)
      if (g) g = T(factor * *g);
  }
};
