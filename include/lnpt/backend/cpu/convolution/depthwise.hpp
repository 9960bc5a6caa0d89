#pragma once
/// Depthwise convolution: one kernel per channel, over the same patches as the others.
#include <algorithm>
#include <array>
#include <numeric>
#include <vector>

#include <lnpt/backend/cpu/array.hpp>
#include <lnpt/backend/cpu/convolution/patch.hpp>
#include <lnpt/backend/cpu/convolution/strip.hpp>
#include <lnpt/backend/cpu/convolution/weight_gradient.hpp>
#include <lnpt/backend/cpu/parallel.hpp>

namespace lnpt::cpu::detail {

inline constexpr std::size_t depthwise_pixels = 8192;  // of a patch, which stays in the first cache
inline constexpr std::size_t depthwise_channels = 16;  // of a task, that share the bookkeeping of a block

/// Carries out a sweep for every channel by itself; the views hold one channel.
template <class T>
void correlate_depthwise(sweep const& s, image_view<T const> source, image_view<T> destination, T const* w,
                         std::size_t weights_per_channel, std::size_t channels, ending<T> const& ending_of) {
  if (s.taps.empty() || s.rows * s.columns == 0) return;
  auto const order = order_for<T>(s, source.samples);
  blocking const blocks(source.samples, s, depthwise_pixels, order == pixel_order::samples ? lanes<T> : 1);
  auto const ranges = chunk_count(channels, depthwise_channels);
  for_each_task(blocks.count() * ranges, [&](std::size_t task) {
    patch_layout const layout(s, blocks[task / ranges], order);
    auto const strips = strips_of<T>(layout, destination);
    auto patch = uninitialized<T>({layout.pixels() + lanes<T>});  // the last vector may reach beyond
    patch_copy const copy(layout, source, patch.size());
    auto const begin = task % ranges * depthwise_channels;
    for (auto c = begin; c != std::min(channels, begin + depthwise_channels); ++c) {
      copy(source.data + c * source.channel_stride(), patch.data());
      auto const end = ending_of.of(c);
      ending_of.with_kind([&](auto kind) {
        for (auto const& each : strips) {
          vec<T> sum{};
          for (auto const& t : s.taps)
            sum += w[c * weights_per_channel + t.weight] * load(patch.data() + layout.offset(t) + each.read);
          each.template put<kind>(sum, destination.data, c * destination.channel_stride(), end);
        }
      });
    }
  });
}

/// The grid of a sweep as a sweep of its own, whose patches have the extents of the other's: zero where those have their margins.
[[nodiscard]] inline sweep grid_of(sweep const& s) {
  sweep grid{s.rows, s.columns, 1, 0, 0, 1, {}, {}};
  grid.add({0, 0}, 0, 0, 0);
  grid.last_row = static_cast<std::ptrdiff_t>(s.halo_rows());
  grid.last_column = static_cast<std::ptrdiff_t>(s.halo_columns());
  return grid;
}

/// Adds the products of the gradients with what some taps read, lane by lane.
template <std::size_t Taps, class T>
void add_products(T const* gradients, T const* patch, std::size_t const* offsets, std::size_t length, T* totals) {
  std::array<vec<T>, Taps> sums;
  unrolled<Taps>([&](auto t) { sums[t] = load(totals + t * lanes<T>); });
  for (std::size_t i = 0; i < length; i += lanes<T>) {
    auto const g = load(gradients + i);
    unrolled<Taps>([&](auto t) { sums[t] += g * load(patch + offsets[t] + i); });
  }
  unrolled<Taps>([&](auto t) { store(totals + t * lanes<T>, sums[t]); });
}

/// The sum of the lanes.
template <class T>
[[nodiscard]] T sum_of_lanes(T const* values) {
  return std::accumulate(values, values + lanes<T>, T{0});
}

/// Whole samples of a weight gradient, worked out once for all channels: the gradients of the outputs are laid out like the patch of the
/// inputs, zero in the margins, so that every tap is one inner product.
struct depthwise_part {
  patch_layout layout, grid;
  patch_copy inputs, gradients;
  scratch<std::size_t> offsets;  ///< of the taps
  std::size_t length;            ///< up to the last pixel of the grid

  template <class T>
  depthwise_part(sweep const& s, sweep const& grid_sweep, block const& samples, pixel_order order, image_view<T const> const& x,
                 image_view<T const> const& gy)
      : layout(s, samples, order),
        grid(grid_sweep, samples, order),
        inputs(layout, x, layout.pixels() + lanes<T>),
        gradients(grid, gy, grid.pixels() + lanes<T>),
        length(grid.at(0, samples.samples - 1, s.rows - 1, s.columns - 1) + 1) {
    for (auto const& t : s.taps) offsets.push_back(layout.offset(t));
  }
};

/// The weight gradient of one channel, or the sum of its squares per sample, from its parts: one vector of sums per tap.
template <weight_sum Sum, class T>
class depthwise_sums {
 public:
  explicit depthwise_sums(std::size_t taps) : totals_(taps * lanes<T>, T{0}) {}

  /// One part, a sample where squares are summed, of the channel whose images begin here.
  void add(depthwise_part const& part, T const* x, T const* gy) {
    patch_.resize(part.layout.pixels() + lanes<T>), gradients_.resize(part.grid.pixels() + lanes<T>);
    part.inputs(x, patch_.data());
    part.gradients(gy, gradients_.data());
    auto const taps = part.offsets.size();
    std::size_t t = 0;
    for (; t + taps_at_once <= taps; t += taps_at_once) add_taps<taps_at_once>(part, t);
    for (; t < taps; ++t) add_taps<1>(part, t);
  }

  [[nodiscard]] T of_tap(std::size_t t) const { return sum_of_lanes(totals_.data() + t * lanes<T>); }

 private:
  static constexpr std::size_t taps_at_once = 3;  // independent sums, and each gradient is read once for all of them

  template <std::size_t Taps>
  void add_taps(depthwise_part const& part, std::size_t t) {
    auto* const totals = totals_.data() + t * lanes<T>;
    if constexpr (Sum == weight_sum::gradient) {
      add_products<Taps>(gradients_.data(), patch_.data(), &part.offsets[t], part.length, totals);
    } else {
      std::array<T, Taps * lanes<T>> sample{};
      add_products<Taps>(gradients_.data(), patch_.data(), &part.offsets[t], part.length, sample.data());
      for (std::size_t k = 0; k < Taps; ++k) {
        auto const sum = sum_of_lanes(sample.data() + k * lanes<T>);
        totals[k * lanes<T>] += sum * sum;
      }
    }
  }

  scratch<T> totals_, patch_, gradients_;
};

/// The sums of the weight gradients of every channel, or of their squares per sample; the views hold one channel.
template <weight_sum Sum, class T>
void sum_depthwise(sweep const& s, image_view<T const> x, image_view<T const> gy, T* w, std::size_t channels, bool accumulate) {
  constexpr bool by_sample = Sum == weight_sum::squares;
  auto const order = by_sample ? pixel_order::rows : order_for<T>(s, x.samples);
  blocking blocks(x.samples, s, depthwise_pixels, order == pixel_order::samples ? lanes<T> : 1);
  blocks.rows_per_block = s.rows;
  if (by_sample) blocks.samples_per_block = 1;
  auto const grid = grid_of(s);
  std::vector<depthwise_part> parts;
  parts.reserve(blocks.count());
  for (std::size_t b = 0; b < blocks.count(); ++b) parts.emplace_back(s, grid, blocks[b], order, x, gy);

  auto const sum_channel = [&](std::size_t c) {
    depthwise_sums<Sum, T> sums(s.taps.size());
    for (auto const& part : parts) sums.add(part, x.data + c * x.channel_stride(), gy.data + c * gy.channel_stride());
    for (std::size_t t = 0; t < s.taps.size(); ++t) {
      auto& to = w[c * s.taps.size() + s.taps[t].weight];
      to = accumulate ? to + sums.of_tap(t) : sums.of_tap(t);
    }
  };
  constexpr std::size_t channels_at_once = 4;  // the smallest maps take less than scheduling a task does
  for_chunks(channels, channels_at_once, [&](std::size_t begin, std::size_t end) {
    for (auto c = begin; c != end; ++c) sum_channel(c);
  });
}

}  // namespace lnpt::cpu::detail
