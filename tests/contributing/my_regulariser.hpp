#pragma once
// The regulariser that docs/extend.md adds.
#include <lnpt/lnpt.hpp>

/// R = λ/2 Σ β², the shifts of batch norm: ∂R/∂β = λ β.
struct small_shifts {
  using is_regulariser = void;
  double lambda = 1e-4;

  template <class T>
  void add_gradient(std::vector<lnpt::parameter<T>> const& parameters, lnpt::gradients<T>& g, double factor) const {
    auto const scale = static_cast<lnpt::value_type<T>>(factor * lambda);
    for (std::size_t i = 0; i < parameters.size(); ++i)
      if (parameters[i].role == lnpt::role::norm_shift && g[i]) g[i] = T(*g[i] + scale * *parameters[i].value);
  }
};
