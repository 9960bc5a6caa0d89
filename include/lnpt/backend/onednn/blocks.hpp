#pragma once
/// Copies between an array's images and oneDNN's blocks of 16 channels, at the speed of the cache.
#include <algorithm>
#include <cstddef>

#include <lnpt/backend/cpu/simd.hpp>
#include <lnpt/backend/cpu/transpose.hpp>

namespace lnpt::onednn::detail {

inline constexpr std::size_t channel_block = 16;

/// Images whose pixels are contiguous, with strides of their own between samples and channels. In blocks, the 16 channels of a pixel lie
/// side by side, channels that are missing in the last block are zero: oneDNN's nChw16c.
struct blocked_images {
  static constexpr std::size_t lanes = cpu::lanes<float>;
  static_assert(channel_block % lanes == 0);

  std::size_t samples, channels, pixels, sample_stride, channel_stride;

  /// Whether the copies work without remainders.
  [[nodiscard]] bool whole_vectors() const { return pixels % lanes == 0; }

  void into_blocks(float const* from, float* to) const {
    for_each_vector_of_channels([&](std::size_t n, std::size_t c, std::size_t present, std::size_t block_offset) {
      auto const write = [&](std::size_t i, auto const& pixel) {
        cpu::store<float, lanes>(to + block_offset + i * channel_block, pixel);
      };
      cpu::detail::for_each_column<lanes>(from + n * sample_stride + c * channel_stride, channel_stride, present, pixels, write);
    });
  }

  /// Copies the blocks back, or adds them to what is there.
  void out_of_blocks(float const* from, float* to, bool accumulate) const {
    for_each_vector_of_channels([&](std::size_t n, std::size_t c, std::size_t present, std::size_t block_offset) {
      for (std::size_t i = 0; i < pixels; i += lanes) {
        auto const write = [&](std::size_t k, auto const& row) {
          if (k >= present) return;
          auto* const at = to + n * sample_stride + (c + k) * channel_stride + i;
          cpu::store<float, lanes>(at, accumulate ? cpu::load<float, lanes>(at) + row : row);
        };
        cpu::detail::for_each_column<lanes>(from + block_offset + i * channel_block, channel_block, lanes, lanes, write);
      }
    });
  }

 private:
  /// Calls `f(sample, first channel, how many of its lanes are channels, where they are in the blocks)`.
  template <class F>
  void for_each_vector_of_channels(F f) const {
    auto const padded = (channels + channel_block - 1) / channel_block * channel_block;
    for (std::size_t n = 0; n < samples; ++n)
      for (std::size_t c = 0; c < padded; c += lanes) {
        auto const block = c / channel_block * channel_block;
        f(n, c, c < channels ? std::min(lanes, channels - c) : 0, (n * padded + block) * pixels + c % channel_block);
      }
  }
};

}  // namespace lnpt::onednn::detail
