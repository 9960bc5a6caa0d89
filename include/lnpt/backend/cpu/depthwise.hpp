#pragma once
/// Depthwise convolution: one kernel per channel, over the same patches as the others.
#include <algorithm>
#include <vector>

#include <lnpt/backend/cpu/array.hpp>
#include <lnpt/backend/cpu/parallel.hpp>
#include <lnpt/backend/cpu/patch.hpp>
#include <lnpt/backend/cpu/strip.hpp>
#include <lnpt/backend/cpu/weight_gradient.hpp>

namespace lnpt::cpu::detail {

inline constexpr std::size_t depthwise_pixels = 8192;  // of a patch, which stays in the first cache
inline constexpr std::size_t depthwise_channels = 16;  // of a task, that share the bookkeeping of a block

/// Carries out a sweep for every channel by itself; the views hold one channel.
template <class T>
void correlate_depthwise(sweep const& s, image_view<T const> source, image_view<T> destination, T const* w,
                         std::size_t weights_per_channel, std::size_t channels, bool accumulate) {
  if (s.taps.empty() || s.rows * s.columns == 0) return;
  auto const order = order_for<T>(s, source.samples);
  blocking const blocks(source.samples, s, depthwise_pixels, order == pixel_order::samples ? lanes<T> : 1);
  auto const ranges = chunk_count(channels, depthwise_channels);
  for_each_task(blocks.count() * ranges, [&](std::size_t task) {
    patch_layout const layout(s, blocks[task / ranges], order);
    auto const strips = strips_of<T>(layout, destination);
    auto patch = uninitialized<T>({layout.pixels() + lanes<T>});  // the last vector may reach beyond
    auto const begin = task % ranges * depthwise_channels;
    for (auto c = begin; c != std::min(channels, begin + depthwise_channels); ++c) {
      copy_patch(layout, source, c, patch.data());
      for (auto const& each : strips) {
        vec<T> sum{};
        for (auto const& t : s.taps)
          sum += w[c * weights_per_channel + t.weight] * load(patch.data() + layout.offset(t) + each.read);
        each.put(sum, destination.data + c * destination.channel_stride(), accumulate);
      }
    }
  });
}

/// The sums of the weight gradients of every channel, or of their squares per sample; the views hold one channel.
///
/// The gradients of the outputs are laid out like the patch of the inputs, zero in the margins, so that every tap is one inner product.
template <weight_sum Sum, class T>
void sum_depthwise(sweep const& s, image_view<T const> x, image_view<T const> gy, T* w, std::size_t channels, bool accumulate) {
  for_each_task(channels, [&](std::size_t c) {
    scratch<T> totals(s.taps.size(), T{0});
    patch_layout const layout(s, {0, 1, 0, s.rows}, pixel_order::rows);
    auto const length = s.rows * layout.columns;
    auto patch = uninitialized<T>({layout.pixels() + lanes<T>}), gradients = filled<T>({length + lanes<T>}, T{0});
    std::fill(patch.data() + layout.pixels(), patch.data() + patch.size(), T{0});
    for (std::size_t n = 0; n < x.samples; ++n) {
      patch_layout const here(s, {n, 1, 0, s.rows}, pixel_order::rows);
      copy_patch(here, x, c, patch.data());
      auto const* from = gy.data + (c * gy.samples + n) * s.rows * s.columns;
      for (std::size_t r = 0; r < s.rows; ++r, from += s.columns)
        std::copy_n(from, s.columns, gradients.data() + r * layout.columns);
      for (std::size_t t = 0; t < totals.size(); ++t) {
        vec<T> product{};
        for (std::size_t i = 0; i < length; i += lanes<T>)
          product += load(gradients.data() + i) * load(patch.data() + layout.offset(s.taps[t]) + i);
        T sum{0};
        for (std::size_t l = 0; l < lanes<T>; ++l) sum += product[l];
        totals[t] += Sum == weight_sum::squares ? sum * sum : sum;
      }
    }
    for (std::size_t t = 0; t < totals.size(); ++t) {
      auto& to = w[c * totals.size() + s.taps[t].weight];
      to = accumulate ? to + totals[t] : totals[t];
    }
  });
}

}  // namespace lnpt::cpu::detail
