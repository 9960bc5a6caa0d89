#pragma once
// The schedule that docs/extend.md adds.
#include <cmath>
#include <lnpt/lnpt.hpp>
#include <numbers>

/// d_t = d + (1 − d)·(1 + cos πt/T)/2: slow at both ends.
struct smooth {
  lnpt::density operator()(std::size_t t, std::size_t rounds, lnpt::density last) const {
    if (t == rounds) return last;  // exactly
    auto const x = static_cast<double>(t) / static_cast<double>(rounds);
    return lnpt::density{last.value() + (1 - last.value()) * 0.5 * (1 + std::cos(std::numbers::pi * x))};
  }
};
