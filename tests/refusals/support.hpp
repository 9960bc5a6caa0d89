#pragma once
// Models that are declared only: a refusal needs no more.
#include <lnpt/backend/cpu/array.hpp>
#include <lnpt/core/model.hpp>

using array = lnpt::cpu::array<double>;

/// Parameters and nothing else.
struct weights_only {
  using tensor_type = array;
  std::vector<lnpt::parameter<array>> parameters();
};

/// Gradients, but neither features nor products with the Hessian.
struct gradients_only : weights_only {
  struct trace {
    array const& output() const;
  };
  trace forward(array const& x, lnpt::normalization const& norm);
  lnpt::gradients<array> backward(trace& t, lnpt::cotangents<array> const& slope, lnpt::which_gradients which);
};

/// Features too.
struct features_only : weights_only {
  struct trace : gradients_only::trace {
    array const& features() const;
  };
  trace forward(array const& x, lnpt::normalization const& norm);
  lnpt::gradients<array> backward(trace& t, lnpt::cotangents<array> const& slope, lnpt::which_gradients which);
};
