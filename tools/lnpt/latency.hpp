#pragma once
/// How long a prediction takes.
#include <algorithm>
#include <chrono>
#include <cstddef>

#include <lnpt/core/shape.hpp>

#include "engine.hpp"
#include "noise.hpp"

namespace cli {

/// Milliseconds of a prediction of so many samples of noise: the least of 20 runs, so that what else the machine does is left out.
[[nodiscard]] inline double least_milliseconds(predictor<float> const& predict, lnpt::shape const& extents, std::size_t samples) {
  constexpr int runs = 20;
  auto const input = noise(extents, samples);
  auto least = std::chrono::duration<double, std::milli>::max();
  for (int run = 0; run < runs; ++run) {
    auto const start = std::chrono::steady_clock::now();
    static_cast<void>(predict(input));
    least = std::min<std::chrono::duration<double, std::milli>>(least, std::chrono::steady_clock::now() - start);
  }
  return least.count();
}

}  // namespace cli
