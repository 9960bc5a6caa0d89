#pragma once
/// The factors that take numbers with an exponent apart to plain numbers and back.
#include <cmath>
#include <cstdlib>

#include <lnpt/core/error.hpp>

namespace lnpt::detail {

/// 2^exponent, refused where the products with it would leave the range of double.
[[nodiscard]] inline double power_of_two(int exponent) {
  if (std::abs(exponent) > 900)
    fail("an activation function of numbers around 2^", exponent,
         ": only rectifiers are exact so far out; initialise the network with smaller weights");
  return std::ldexp(1.0, exponent);
}

}  // namespace lnpt::detail
