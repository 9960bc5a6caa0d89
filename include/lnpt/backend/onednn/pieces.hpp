#pragma once
/// How a convolution is cut into pieces that are computed in parallel, each small enough to stay in a core's own cache.
#include <algorithm>
#include <bit>
#include <cstddef>
#include <utility>

#include <lnpt/backend/cpu/convolution/conv_geometry.hpp>
#include <lnpt/backend/onednn/blocks.hpp>

namespace lnpt::onednn::detail {

/// [0, size) in `count` ranges whose lengths differ by at most one `unit`.
struct ranges {
  std::size_t size, count, unit = 1;

  [[nodiscard]] std::size_t begin(std::size_t i) const { return std::min(size, (size + unit - 1) / unit * i / count * unit); }
  [[nodiscard]] std::size_t length(std::size_t i) const { return begin(i + 1) - begin(i); }
};

/// Samples and channels of the result, both in ranges; they depend on the extents alone, so that the bits do not depend on threads.
struct pieces {
  ranges samples, channels;

  [[nodiscard]] std::size_t count() const { return samples.count * channels.count; }
};

/// Cuts `e` so that a piece's images take about `bytes`, and never into fewer than a few pieces where the extents allow more.
inline pieces cut(cpu::conv_extents const& e, std::size_t channels, std::size_t bytes) {
  constexpr std::size_t fewest = 8, block = channel_block;
  auto const sample_bytes = sizeof(float) * (e.channels * e.h * e.w + e.outputs * e.out_h * e.out_w);
  auto const wanted =
      std::clamp<std::size_t>(std::bit_ceil(e.samples * sample_bytes / bytes + 1), 1, std::max<std::size_t>(e.samples, 1));
  auto parts = wanted;  // a count that divides the batch needs one kernel instead of two
  while (parts < 2 * wanted && e.samples % parts != 0) ++parts;
  if (parts == 2 * wanted || parts > e.samples) parts = wanted;
  auto const slices = e.geometry.groups > 1 ? 1 : std::clamp<std::size_t>(fewest / parts, 1, (channels + block - 1) / block);
  return {{e.samples, parts}, {channels, slices, block}};
}

}  // namespace lnpt::onednn::detail
