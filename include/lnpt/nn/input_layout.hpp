#pragma once
/// From the engine's order of axes to that of a batch.
#include <cstddef>
#include <vector>

#include <lnpt/core/shape.hpp>
#include <lnpt/core/tensor.hpp>

namespace lnpt::nn {

/// An activation of the engine, [C, N, H, W] or [N, F], as a batch [N, C, H, W] or [N, F], through host memory; zeros in the shape of `like`
/// where there is none.
template <class Backend>
[[nodiscard]] typename Backend::array as_batch(typename Backend::array const& like, typename Backend::array const* x) {
  using scalar = typename Backend::scalar;
  auto extents = Backend::extents(like);
  std::vector<scalar> values(element_count(extents));
  if (x) values = values_of(*x);
  if (extents.size() != 4) return make_tensor<typename Backend::array>(extents, values, like);
  auto const channels = extents[0];
  auto const samples = extents[1];
  auto const area = extents[2] * extents[3];
  std::vector<scalar> turned(values.size());
  for (std::size_t c = 0; c < channels; ++c)
    for (std::size_t n = 0; n < samples; ++n)
      for (std::size_t i = 0; i < area; ++i) turned[(n * channels + c) * area + i] = values[(c * samples + n) * area + i];
  return make_tensor<typename Backend::array>({samples, channels, extents[2], extents[3]}, turned, like);
}

}  // namespace lnpt::nn
