#pragma once
/// Convolution of images [C, N, H, W] by the kept weights alone, and its input gradient.
///
/// Each kept weight is one multiply–add over consecutive pixels. Sums run over the kept weights of an output in the order of the matrix
/// (input channel, then tap), of an input gradient by output channel, then tap. The order depends on the shapes and the mask alone: the
/// same bits for any number of threads.
#include <algorithm>
#include <numeric>
#include <span>
#include <vector>

#include <lnpt/backend/cpu/array.hpp>
#include <lnpt/backend/cpu/convolution/conv_geometry.hpp>
#include <lnpt/backend/cpu/layout.hpp>
#include <lnpt/backend/cpu/sparse/pattern.hpp>
#include <lnpt/backend/cpu/sparse/planes.hpp>
#include <lnpt/backend/cpu/sparse/product.hpp>
#include <lnpt/backend/cpu/streaming.hpp>

namespace lnpt::cpu::sparse {

namespace detail {

/// The entries of every destination channel, one after the other.
template <class T>
struct entry_lists {
  std::vector<entry<T>> entries;
  std::vector<std::size_t> begin;  ///< one more than there are channels

  /// `for_each_weight(f)` calls `f(destination channel, source channel, tap of the sweep, kept weight)`, destinations ascending. Arranges the
  /// layout by the planes that are read.
  template <class ForEach>
  entry_lists(plane_layout<T>& layout, std::size_t channels, std::span<T const> weights, ForEach for_each_weight)
      : begin(channels + 1, 0) {
    for_each_weight([&](std::size_t, std::size_t channel, std::size_t tap, std::size_t) { layout.use(channel, tap); });
    layout.arrange();
    entries.reserve(weights.size());
    for_each_weight([&](std::size_t to, std::size_t channel, std::size_t tap, std::size_t i) {
      entries.push_back({layout.offset(channel, tap), weights[i]});
      ++begin[to + 1];
    });
    std::partial_sum(begin.begin(), begin.end(), begin.begin());
  }
};

/// One sweep of a convolution by kept weights.
template <class T>
class sparse_sweep {
 public:
  /// `for_each_weight` as for `entry_lists`.
  template <class ForEach>
  sparse_sweep(sweep const& s, image_view<T const> source, image_view<T> target, std::span<T const> weights, bool accumulate,
               ForEach for_each_weight)
      : layout_(s, source),
        target_(target),
        accumulate_(accumulate),
        lists_(layout_, target.channels, weights, for_each_weight),
        sweep_(&s) {}

  [[nodiscard]] plane_layout<T> const& layout() const { return layout_; }
  [[nodiscard]] entry_lists<T> const& lists() const { return lists_; }

  void run() const {
    auto const channels = layout_.channels();
    if (layout_.blocks() >= enough_blocks)
      return for_each_task(layout_.blocks(), [&](std::size_t i) {
        auto planes = uninitialized<T>({layout_.size()});
        layout_.fill(layout_[i], 0, channels, planes.data());
        multiply(layout_[i], planes.data(), 0, target_.channels);
      });
    auto planes = uninitialized<T>({layout_.size()});
    for (std::size_t i = 0; i < layout_.blocks(); ++i) {
      for_chunks(channels, chunk_count(channels, split_tasks),
                 [&](std::size_t begin, std::size_t end) { layout_.fill(layout_[i], begin, end, planes.data()); });
      for_chunks(target_.channels, chunk_count(target_.channels, split_tasks),
                 [&](std::size_t begin, std::size_t end) { multiply(layout_[i], planes.data(), begin, end); });
    }
  }

  /// Sums the planes of a block into the target's channels from `begin` to `end`.
  void multiply(block const& b, T const* planes, std::size_t begin, std::size_t end) const {
    destination<T> const to(*sweep_, target_, layout_.samples());
    auto const pixels = layout_.pixels(b);
    bool const past = !accumulate_ && past_caches<T>(target_.channels * target_.channel_stride());
    in_tiles<tile_vectors>(0, chunk_count(pixels, lanes<T>), [&](auto count, std::size_t vector) {
      auto const p = vector * lanes<T>;
      auto const width = std::min(count() * lanes<T>, pixels - p);
      for (auto channel = begin; channel < end; ++channel) {
        auto const* const first = lists_.entries.data() + lists_.begin[channel];
        auto const* const last = lists_.entries.data() + lists_.begin[channel + 1];
        if (to.contiguous() && width == count() * lanes<T>) {
          auto* const at = to.begin(b, channel) + p;
          auto const sum_into = [&](auto put) { sum_planes<T, lanes<T>, count()>(planes + p, first, last, put); };
          if (past && on_vector_boundary(at)) {
            sum_into([&](std::size_t i, vec<T> const& sum) { store_past_caches(at + i, sum); });
            continue;
          }
          if (channel + 1 < end) fetch(at + target_.channel_stride(), width);
          if (accumulate_)
            sum_into([&](std::size_t i, vec<T> const& sum) { store(at + i, load(at + i) + sum); });
          else
            sum_into([&](std::size_t i, vec<T> const& sum) { store(at + i, sum); });
        } else {
          T tile[count() * lanes<T>];
          sum_planes<T, lanes<T>, count()>(planes + p, first, last,
                                           [&](std::size_t i, vec<T> const& sum) { store(tile + i, sum); });
          put(to, b, channel, p, width, tile);
        }
      }
    });
    if (past) settle();
  }

 private:
  static constexpr std::size_t enough_blocks = 8;  ///< to keep all cores busy with a block each
  static constexpr std::size_t split_tasks = 8;    ///< into which the channels of a block are divided otherwise

  /// Brings near what the next tile writes: it lies a whole channel further, where no processor looks ahead.
  static void fetch(T const* next, std::size_t width) {
    constexpr std::size_t line = 64 / sizeof(T);
    for (std::size_t i = 0; i < width; i += line) __builtin_prefetch(next + i, 1);
  }

  template <std::size_t Size>
  void put(destination<T> const& to, block const& b, std::size_t channel, std::size_t begin, std::size_t count,
           T const (&tile)[Size]) const {
    to.for_each_run(b, channel, begin, count, [&](T* at, std::size_t stride, std::size_t from, std::size_t width) {
      if (accumulate_) {
        for (std::size_t i = 0; i < width; ++i) at[i * stride] += tile[from + i];
      } else if (stride == 1) {
        plane_layout<T>::template with_width<std::min<std::size_t>(Size, 32)>(width,
                                                                              [&](auto w) { std::copy_n(tile + from, w(), at); });
      } else {
        for (std::size_t i = 0; i < width; ++i) at[i * stride] = tile[from + i];
      }
    });
  }

  plane_layout<T> layout_;
  image_view<T> target_;
  bool accumulate_;
  entry_lists<T> lists_;
  sweep const* sweep_;
};

/// Calls `f(output, input channel, tap, i)` for every kept weight i, outputs ascending.
template <class F>
void for_each_by_output(pattern const& p, conv_extents const& e, F f) {
  for (std::size_t o = 0; o < e.outputs; ++o) {
    auto const group = o / e.group_outputs() * e.group_channels();
    for (auto i = p.row_begin(o); i < p.row_begin(o + 1); ++i) f(o, group + p.column(i) / e.taps(), p.column(i) % e.taps(), i);
  }
}

/// Calls `f(input channel, output, tap of the sweep, i)` for every kept weight i whose tap is in the sweep, input channels ascending.
template <class F>
void for_each_by_input(pattern const& p, conv_extents const& e, sweep const& s, F f) {
  std::vector<std::size_t> tap_of(e.taps(), s.taps.size());  // of the kernel's elements; those of other sweeps have none
  for (std::size_t t = 0; t < s.taps.size(); ++t) tap_of[s.taps[t].weight] = t;
  for (std::size_t channel = 0; channel < e.channels; ++channel) {
    auto const first = channel / e.group_channels() * e.group_outputs();
    auto const last = first + e.group_outputs();
    auto const input = channel % e.group_channels();
    for (auto j = p.input_begin(input); j < p.input_begin(input + 1); ++j)
      if (auto const tap = tap_of[p.column(p.position(j)) % e.taps()];
          tap < s.taps.size() && p.row(j) >= first && p.row(j) < last)
        f(channel, p.row(j), tap, p.position(j));
  }
}

}  // namespace detail

/// y = x ∗ w, or y += x ∗ w, for the kept weights' values in row-major order.
template <class T>
void conv2d(array<T> const& x, pattern const& kept, std::span<T const> w, conv_geometry const& geometry, array<T>& y,
            bool accumulate) {
  conv_extents const e(cpu::detail::extents_of(x), kept.extents(), geometry);
  require_values("conv2d", kept, w.size());
  e.prepare("conv2d", y, e.y_shape(), accumulate);
  auto const s = cpu::detail::forward_sweep(e);
  detail::sparse_sweep<T>(s, {x.data(), e.channels, e.samples, e.h, e.w}, {y.data(), e.outputs, e.samples, e.out_h, e.out_w}, w,
                          accumulate, [&](auto f) { detail::for_each_by_output(kept, e, f); })
      .run();
}

/// gx: the gradient with respect to x, of this shape.
template <class T>
void conv2d_input_gradient(array<T> const& gy, pattern const& kept, std::span<T const> w, conv_geometry const& geometry,
                           shape const& x_shape, array<T>& gx, bool accumulate) {
  conv_extents const e(x_shape, kept.extents(), geometry);
  require_values("conv2d_input_gradient", kept, w.size());
  e.require("conv2d_input_gradient", gy, e.y_shape());
  e.prepare("conv2d_input_gradient", gx, x_shape, accumulate);
  auto const sweeps = cpu::detail::input_gradient_sweeps(e);
  bool const gaps = std::ranges::any_of(sweeps, [](auto const& s) { return s.taps.empty(); });  // pixels that no output reads
  if (gaps && !accumulate) std::fill(gx.data(), gx.data() + gx.size(), T{0});
  for (auto const& s : sweeps)
    if (!s.taps.empty() && s.rows * s.columns != 0)
      detail::sparse_sweep<T>(s, {gy.data(), e.outputs, e.samples, e.out_h, e.out_w},
                              {gx.data(), e.channels, e.samples, e.h, e.w}, w, accumulate,
                              [&](auto f) { detail::for_each_by_input(kept, e, s, f); })
          .run();
}

}  // namespace lnpt::cpu::sparse
