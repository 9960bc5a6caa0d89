#pragma once
/// Depthwise convolution: one kernel per channel, over the same patches as the others.
#include <algorithm>
#include <array>
#include <numeric>
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
    patch_copy const copy(layout, source, patch.size());
    auto const begin = task % ranges * depthwise_channels;
    for (auto c = begin; c != std::min(channels, begin + depthwise_channels); ++c) {
      copy(source.data + c * source.channel_stride(), patch.data());
      for (auto const& each : strips) {
        vec<T> sum{};
        for (auto const& t : s.taps)
          sum += w[c * weights_per_channel + t.weight] * load(patch.data() + layout.offset(t) + each.read);
        each.put(sum, destination.data + c * destination.channel_stride(), accumulate);
      }
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

/// The weight gradients of some depthwise channels, or the sums of their squares per sample.
///
/// The gradients of the outputs are laid out like the patch of the inputs, zero in the margins, so that every tap is one inner product.
template <weight_sum Sum, class T>
class depthwise_sums {
 public:
  depthwise_sums(sweep const& s, std::size_t channels)
      : sweep_(s), grid_(grid_of(s)), offsets_(s.taps.size()), totals_(channels * s.taps.size() * lanes<T>, T{0}) {}

  /// Whole samples of these channels, whose images begin at `x` and `gy`: one sample where squares are summed.
  void add(block const& samples, pixel_order order, image_view<T const> const& x, image_view<T const> const& gy) {
    patch_layout const layout(sweep_, samples, order), grid(grid_, samples, order);
    patch_.resize(layout.pixels() + lanes<T>), gradients_.resize(grid.pixels() + lanes<T>);
    patch_copy const copy_inputs(layout, x, patch_.size()), copy_gradients(grid, gy, gradients_.size());
    for (std::size_t t = 0; t < offsets_.size(); ++t) offsets_[t] = layout.offset(sweep_.taps[t]);
    auto const last = grid.at(0, samples.samples - 1, sweep_.rows - 1, sweep_.columns - 1);  // what follows is margin
    for (std::size_t c = 0; c < x.channels; ++c) {
      copy_inputs(x.data + c * x.channel_stride(), patch_.data());
      copy_gradients(gy.data + c * gy.channel_stride(), gradients_.data());
      add_channel(last + 1, totals_.data() + c * offsets_.size() * lanes<T>);
    }
  }

  /// Writes one weight per tap of each channel.
  void write(T* w, bool accumulate) const {
    for (std::size_t i = 0; i < totals_.size() / lanes<T>; ++i) {
      auto const taps = offsets_.size();
      auto& to = w[i / taps * taps + sweep_.taps[i % taps].weight];
      auto const sum = sum_of_lanes(totals_.data() + i * lanes<T>);
      to = accumulate ? to + sum : sum;
    }
  }

 private:
  static constexpr std::size_t taps_at_once = 3;  // of a row: independent sums, and each gradient is read for all of them

  void add_channel(std::size_t length, T* totals) {
    for (std::size_t t = 0; t < offsets_.size();) {
      auto const count = t + taps_at_once <= offsets_.size() ? taps_at_once : 1;
      auto const add_to = [&](T* sums) {
        if (count == 1)
          add_products<1>(gradients_.data(), patch_.data(), &offsets_[t], length, sums);
        else
          add_products<taps_at_once>(gradients_.data(), patch_.data(), &offsets_[t], length, sums);
      };
      if constexpr (Sum == weight_sum::squares) {
        std::array<T, taps_at_once * lanes<T>> sample{};
        add_to(sample.data());
        for (std::size_t k = 0; k < count; ++k) {
          auto const sum = sum_of_lanes(sample.data() + k * lanes<T>);
          totals[(t + k) * lanes<T>] += sum * sum;
        }
      } else {
        add_to(totals + t * lanes<T>);
      }
      t += count;
    }
  }

  sweep const& sweep_;
  sweep grid_;
  scratch<std::size_t> offsets_;
  scratch<T> totals_, patch_, gradients_;  ///< totals: [channel, tap, lane]
};

/// The sums of the weight gradients of every channel, or of their squares per sample; the views hold one channel.
template <weight_sum Sum, class T>
void sum_depthwise(sweep const& s, image_view<T const> x, image_view<T const> gy, T* w, std::size_t channels, bool accumulate) {
  constexpr bool by_sample = Sum == weight_sum::squares;
  auto const order = by_sample ? pixel_order::rows : order_for<T>(s, x.samples);
  blocking blocks(x.samples, s, depthwise_pixels, order == pixel_order::samples ? lanes<T> : 1);
  blocks.rows_per_block = s.rows;
  if (by_sample) blocks.samples_per_block = 1;
  for_chunks(channels, depthwise_channels, [&](std::size_t begin, std::size_t end) {
    depthwise_sums<Sum, T> sums(s, end - begin);
    auto const part_of = [&](image_view<T const> const& all) {
      return image_view<T const>{all.data + begin * all.channel_stride(), end - begin, all.samples, all.h, all.w};
    };
    for (std::size_t b = 0; b < blocks.count(); ++b) sums.add(blocks[b], order, part_of(x), part_of(gy));
    sums.write(w + begin * s.taps.size(), accumulate);
  });
}

}  // namespace lnpt::cpu::detail
