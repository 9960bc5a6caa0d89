#pragma once
/// The constants of stochastic gradient descent, and what a step of it reads and writes.

namespace lnpt {

/// Learning rate, momentum and weight decay of one step, as PyTorch's `SGD` names them.
struct sgd_constants {
  double learning_rate = 0.1;
  double momentum = 0.9;
  double weight_decay = 0;
};

/// One parameter of a step: weights, gradient, velocity, and the mask as a backend packs it (null: all weights are kept).
template <class Array, class PackedMask>
struct sgd_operands {
  Array* w;
  Array const* g;
  Array* v;
  PackedMask const* kept;
};

}  // namespace lnpt
