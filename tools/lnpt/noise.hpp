#pragma once
/// Inputs to take the time with.
#include <cstddef>
#include <vector>

#include <lnpt/backend/cpu/array.hpp>
#include <lnpt/core/random.hpp>
#include <lnpt/core/shape.hpp>
#include <lnpt/core/tensor.hpp>

namespace cli {

/// `count` samples of normal noise, the same on every run.
[[nodiscard]] inline lnpt::cpu::array<float> noise(lnpt::shape extents, std::size_t count) {
  extents.insert(extents.begin(), count);
  std::vector<float> values(lnpt::element_count(extents));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(lnpt::normal(1, 0, i).first);
  return lnpt::tensor_traits<lnpt::cpu::array<float>>::make(extents, values);
}

}  // namespace cli
