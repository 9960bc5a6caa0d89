#pragma once
/// Gradients of convolutions by kept weights: that of the kept weights, and that together with the input's.
///
/// One weight's gradient is a dot product of two images. It adds pixel by pixel in lanes, the lanes in pairs, block after block, in an order
/// that depends on the shapes and the mask alone.
#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include <lnpt/backend/cpu/sparse/convolution.hpp>

namespace lnpt::cpu::sparse {

namespace detail {

/// Dot products of an image with the planes that each of its channels has in the lists; the lists' weights are not looked at. The sweep's
/// grid is the image.
template <class T>
class plane_dots {
 public:
  plane_dots(sweep const& s, plane_layout<T> const& layout, entry_lists<T> const& lists, image_view<T const> image)
      : sweep_(s), layout_(layout), lists_(lists), image_(image) {}

  /// sums[i] += ⟨image, plane of entry i⟩ over the pixels of a block, for the entries of the channels from `begin` to `end`.
  void add(block const& b, T const* planes, std::size_t begin, std::size_t end, T* sums) const {
    auto const pixels = layout_.pixels(b);
    destination<T const> const from(sweep_, image_, layout_.samples());
    bool const in_place = from.contiguous() && pixels % lanes<T> == 0;
    scratch<T> flat(in_place ? 0 : layout_.most_pixels());
    for (auto channel = begin; channel < end; ++channel) {
      auto const first = lists_.begin[channel];
      auto const last = lists_.begin[channel + 1];
      if (first == last) continue;
      auto const* const image = in_place ? from.begin(b, channel) : flat.data();
      if (!in_place)
        from.for_each_run(b, channel, 0, pixels, [&](T const* at, std::size_t, std::size_t to, std::size_t width) {
          plane_layout<T>::with_width(width, [&](auto w) { std::copy_n(at, w(), flat.data() + to); });
        });
      in_tiles<4>(first, last, [&](auto count, std::size_t i) {
        std::array<T const*, count()> read;
        unrolled<count()>([&](auto k) { read[k] = planes + lists_.entries[i + k].offset; });
        dot_planes<T, count()>(image, read, chunk_count(pixels, lanes<T>) * lanes<T>, sums + i);
      });
      if (!in_place && b.samples < layout_.samples()) std::ranges::fill(flat, T{0});
    }
  }

 private:
  sweep const& sweep_;
  plane_layout<T> const& layout_;
  entry_lists<T> const& lists_;
  image_view<T const> image_;
};

/// Into how many parts the blocks of a layout are divided, each with sums of its own; 0 where so many sums would take more room than
/// parts are worth.
template <class T>
[[nodiscard]] std::size_t parts_of_blocks(plane_layout<T> const& layout, std::size_t sums) {
  constexpr std::size_t most = 16;
  constexpr std::size_t least = 4;
  constexpr std::size_t elements = 1 << 22;
  auto const parts =
      std::min<std::size_t>(most, std::clamp<std::size_t>(elements / std::max<std::size_t>(1, sums), 1, layout.blocks()));
  return parts < least ? 0 : parts;
}

/// Calls `work(block, planes, sums)` for the blocks of every part, planes filled; then `put(i, total)` with each sum over the parts, which
/// are added in order.
template <class T, class Work, class Put>
void sum_in_parts(plane_layout<T> const& layout, std::size_t parts, std::size_t count, Work work, Put put) {
  auto sums = filled<T>({parts, count}, T{0});
  for_each_task(parts, [&](std::size_t part) {
    auto planes = uninitialized<T>({layout.size()});
    for (auto i = layout.blocks() * part / parts; i != layout.blocks() * (part + 1) / parts; ++i) {
      layout.fill(layout[i], 0, layout.channels(), planes.data());
      work(layout[i], planes.data(), sums.data() + part * count);
    }
  });
  for_chunks(count, streaming_grain, [&](std::size_t begin, std::size_t end) {
    for (auto i = begin; i != end; ++i) {
      T total = T{0};
      for (std::size_t part = 0; part < parts; ++part) total += sums.data()[part * count + i];
      put(i, total);
    }
  });
}

/// Few blocks: tasks share the planes of one, and take some of the channels each.
template <class T>
void sum_by_channels(plane_layout<T> const& layout, plane_dots<T> const& dots, std::size_t channels, T* sums) {
  constexpr std::size_t tasks = 16;
  auto planes = uninitialized<T>({layout.size()});
  for (std::size_t i = 0; i < layout.blocks(); ++i) {
    for_chunks(layout.channels(), chunk_count(layout.channels(), tasks),
               [&](std::size_t begin, std::size_t end) { layout.fill(layout[i], begin, end, planes.data()); });
    for_chunks(channels, chunk_count(channels, tasks),
               [&](std::size_t begin, std::size_t end) { dots.add(layout[i], planes.data(), begin, end, sums); });
  }
}

}  // namespace detail

/// gw: the gradient with respect to the kept weights, one value each in row-major order.
template <class T>
void conv2d_weight_gradient(array<T> const& x, array<T> const& gy, pattern const& kept, conv_geometry const& geometry,
                            std::span<T> gw, bool accumulate) {
  conv_extents const e(cpu::detail::extents_of(x), kept.extents(), geometry);
  require_values("conv2d_weight_gradient", kept, gw.size());
  e.require("conv2d_weight_gradient", gy, e.y_shape());
  auto const s = cpu::detail::forward_sweep(e);
  if (!accumulate) std::ranges::fill(gw, T{0});
  plane_layout<T> layout(s, {x.data(), e.channels, e.samples, e.h, e.w});
  detail::entry_lists<T> const lists(layout, e.outputs, gw, [&](auto f) { detail::for_each_by_output(kept, e, f); });
  detail::plane_dots<T> const dots(s, layout, lists, {gy.data(), e.outputs, e.samples, e.out_h, e.out_w});
  auto const parts = detail::parts_of_blocks(layout, kept.kept());
  if (parts == 0) return detail::sum_by_channels(layout, dots, e.outputs, gw.data());
  detail::sum_in_parts(
      layout, parts, kept.kept(), [&](block const& b, T const* planes, T* sums) { dots.add(b, planes, 0, e.outputs, sums); },
      [&](std::size_t i, T total) { gw[i] += total; });
}

/// What becomes of the gradient of x besides: a gradient that x has from elsewhere is added, and if x comes from a rectifier the sum is 0
/// where x is not positive.
template <class T>
struct input_ending {
  array<T> const* addend = nullptr;  ///< null: none
  bool rectified = false;

  /// Elements [begin, begin + n).
  void operator()(array<T> const& x, array<T>& gx, std::size_t begin, std::size_t n) const {
    auto* const out = gx.data() + begin;
    auto const* const open = x.data() + begin;
    auto const* const added = addend ? addend->data() + begin : nullptr;
    if (added && rectified)
      for (std::size_t i = 0; i < n; ++i) out[i] = open[i] > T{0} ? added[i] + out[i] : T{0};
    else if (added)
      for (std::size_t i = 0; i < n; ++i) out[i] = added[i] + out[i];
    else if (rectified)
      for (std::size_t i = 0; i < n; ++i) out[i] = open[i] > T{0} ? out[i] : T{0};
  }
  /// A block's pixels, which lie together in each channel, while they are in the cache.
  void operator()(array<T> const& x, array<T>& gx, block const& b) const {
    auto const s = x.shape();
    auto const n = b.samples * b.rows * s[3];
    for (std::size_t channel = 0; channel < s[0]; ++channel)
      (*this)(x, gx, ((channel * s[1] + b.sample) * s[2] + b.row) * s[3], n);
  }
};

/// Both gradients: gx with respect to x, and gw with respect to the kept weights. Where the stride is 1 both are read off the same planes,
/// which are copies of gy, shifted by a tap t each:
///
///     gx[c] = Σ_(o, t kept) w[o, c, t] · plane[o, t],      gw[o, c, t] = ⟨x[c], plane[o, t]⟩
///
/// so that a step copies two images for three products.
template <class T>
void conv2d_gradients(array<T> const& x, array<T> const& gy, pattern const& kept, std::span<T const> w,
                      conv_geometry const& geometry, array<T>& gx, std::span<T> gw, input_ending<T> const& end = {}) {
  conv_extents const e(cpu::detail::extents_of(x), kept.extents(), geometry);
  require_values("conv2d_gradients", kept, gw.size());
  require_values("conv2d_gradients", kept, w.size());
  e.require("conv2d_gradients", gy, e.y_shape());
  if (end.addend) e.require("conv2d_gradients", *end.addend, e.x_shape());
  auto const sweeps = cpu::detail::input_gradient_sweeps(e);
  auto const& s = sweeps.front();
  if (sweeps.size() == 1 && !s.taps.empty() && s.rows * s.columns != 0) {
    e.prepare("conv2d_gradients", gx, e.x_shape(), false);
    std::vector<std::uint32_t> position;  // of the entries, which go by input channels
    auto const by_input = [&](auto f) { detail::for_each_by_input(kept, e, s, f); };
    by_input([&](std::size_t, std::size_t, std::size_t, std::size_t i) { position.push_back(static_cast<std::uint32_t>(i)); });
    detail::sparse_sweep<T> const planes_of_gy(s, {gy.data(), e.outputs, e.samples, e.out_h, e.out_w},
                                               {gx.data(), e.channels, e.samples, e.h, e.w}, w, false, by_input);
    auto const& layout = planes_of_gy.layout();
    if (auto const parts = detail::parts_of_blocks(layout, position.size()); parts != 0) {
      detail::plane_dots<T> const dots(s, layout, planes_of_gy.lists(), {x.data(), e.channels, e.samples, e.h, e.w});
      std::ranges::fill(gw, T{0});  // of taps that leave the image wherever they are
      return detail::sum_in_parts(
          layout, parts, position.size(),
          [&](block const& b, T const* planes, T* sums) {
            dots.add(b, planes, 0, e.channels, sums);
            planes_of_gy.multiply(b, planes, 0, e.channels);
            end(x, gx, b);
          },
          [&](std::size_t i, T total) { gw[position[i]] = total; });
    }
  }
  conv2d_weight_gradient(x, gy, kept, geometry, gw, false);
  conv2d_input_gradient(gy, kept, w, geometry, cpu::detail::extents_of(x), gx, false);
  for_chunks(gx.size(), streaming_grain, [&](std::size_t begin, std::size_t last) { end(x, gx, begin, last - begin); });
}

}  // namespace lnpt::cpu::sparse
