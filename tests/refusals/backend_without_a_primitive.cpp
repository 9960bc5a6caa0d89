// expect: this backend lacks a convolution
#include <lnpt/lnpt.hpp>

struct half_a_backend : lnpt::cpu::backend<double> {
  static void conv2d_weight_gradient_squares() = delete;
};
lnpt::network<half_a_backend> model;
