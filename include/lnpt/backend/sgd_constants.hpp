#pragma once
/// The constants of stochastic gradient descent.

namespace lnpt {

/// Learning rate, momentum and weight decay of one step, as PyTorch's `SGD` names them.
struct sgd_constants {
  double learning_rate = 0.1;
  double momentum = 0.9;
  double weight_decay = 0;
};

}  // namespace lnpt
