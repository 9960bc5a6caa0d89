#pragma once
/// The values that fresh parameters and buffers have.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <lnpt/core/parameter.hpp>
#include <lnpt/core/random.hpp>
#include <lnpt/core/shape.hpp>

namespace lnpt::nn {

/// Kaiming-normal over the fan-in, N(0, 2 / fan_in) (He et al., ICCV 2015, arXiv:1502.01852), a pure function of the seed and of which
/// parameter of a network it is.
template <class Backend>
[[nodiscard]] typename Backend::array kaiming_normal(shape const& extents, std::uint64_t seed, std::uint64_t parameter,
                                                     typename Backend::context const& context = {}) {
  std::vector<typename Backend::scalar> values(element_count(extents));
  auto const deviation = std::sqrt(2.0 * static_cast<double>(extents[0]) / static_cast<double>(values.size()));
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<typename Backend::scalar>(deviation * normal(seed, parameter, i).first);
  return Backend::make(extents, values, context);
}

/// Weights so, biases 0, γ = 1, β = 0, running mean 0 and variance 1.
template <class Backend>
[[nodiscard]] typename Backend::array initial_values(role of, shape const& extents, std::uint64_t seed, std::uint64_t parameter,
                                                     typename Backend::context const& context = {}) {
  if (is_prunable(of)) return kaiming_normal<Backend>(extents, seed, parameter, context);
  return Backend::constant(extents, of == role::norm_scale || of == role::running_variance ? 1 : 0, context);
}

}  // namespace lnpt::nn
