#pragma once
/// Convolutions of few pixels, whose cost is reading the weights: products that read or write every weight once, in place.
#include <algorithm>
#include <cstddef>
#include <vector>

#include <lnpt/backend/cpu/array.hpp>
#include <lnpt/backend/cpu/convolution/conv_geometry.hpp>
#include <lnpt/backend/cpu/convolution/ending.hpp>
#include <lnpt/backend/cpu/convolution/patch.hpp>
#include <lnpt/backend/cpu/convolution/tile.hpp>
#include <lnpt/backend/cpu/parallel.hpp>

namespace lnpt::cpu::detail {

/// One group of such a convolution, its weights a matrix of output channels by depth: depth is input channels times taps.
template <class T>
class few_pixels {
 public:
  /// The largest number of pixels at which packing, as other convolutions do, costs more than it saves.
  static constexpr std::size_t most = 64;

  [[nodiscard]] static bool suits(conv_extents const& e) {
    return e.samples * e.out_h * e.out_w <= most && e.group_channels() * e.taps() % lanes<T> == 0;
  }

  explicit few_pixels(conv_extents const& e)
      : extents_(e),
        pixels_(e.samples * e.out_h * e.out_w),
        depth_(e.group_channels() * e.taps()),
        outputs_(e.group_outputs()),
        stride_((chunk_count(depth_, dot_depth) | 1) * dot_depth) {}

  /// y[o, p] = Σ_k w[o, k]·columns[p, k], which ends as `end` says.
  void forward(T const* x, T const* w, T* y, ending<T> const& end) const {
    auto const columns = columns_of(x);
    for_chunks(outputs_, 4 * dot_rows, [&](std::size_t first, std::size_t last) {
      for (auto o = first; o < last; o += dot_rows) dots(w, columns.data(), o, y, end);
    });
  }

  /// gx: the columns gy·w, each added to the input pixels that the column was gathered from.
  void input_gradient(T const* gy, T const* w, T* gx, bool accumulate) const {
    auto slopes = uninitialized<T>({pixels_, stride_});
    auto const packed = packed_by_pixels(gy);
    auto const offsets = multiples(depth_, outputs_);
    for_chunks(depth_, 32 * lanes<T>, [&](std::size_t begin, std::size_t end) {
      for (std::size_t o = 0; o < outputs_; o += outputs_at_once)
        for (auto k = begin; k < end; k += tile_vectors * lanes<T>)
          with_vectors(std::min(tile_vectors, (end - k) / lanes<T>),
                       [&](auto count) { add_slopes<count>(w + k, packed.data(), o, offsets, slopes.data() + k); });
    });
    scatter(slopes.data(), gx, accumulate);
  }

  /// gw[o, k] = Σ_p gy[o, p]·columns[p, k].
  void weight_gradient(T const* x, T const* gy, T* gw, bool accumulate) const {
    auto const columns = columns_of(x);
    auto const offsets = multiples(stride_, pixels_);
    for_each_task(chunk_count(outputs_, tile_rows), [&](std::size_t t) {
      auto const rows = std::min(tile_rows, outputs_ - t * tile_rows);
      scratch<T> packed(pixels_ * tile_rows);
      for (std::size_t r = 0; r < rows; ++r)
        for (std::size_t p = 0; p < pixels_; ++p) packed[p * tile_rows + r] = gy[(t * tile_rows + r) * pixels_ + p];
      for (std::size_t k = 0; k < depth_; k += tile_vectors * lanes<T>)
        with_vectors(std::min(tile_vectors, (depth_ - k) / lanes<T>), [&](auto count) {
          auto const sums = multiply<T, count>(packed.data(), neighbours<count>(columns.data() + k), offsets.data(), pixels_);
          put<count>(sums, rows, gw + t * tile_rows * depth_ + k, depth_, accumulate);
        });
    });
  }

 private:
  static constexpr std::size_t dot_rows = tile_rows / 2, dot_pixels = 4;  ///< sums of a tile of dot products, in registers
  static constexpr std::size_t dot_depth = 16 * lanes<T>;                 ///< of a step through the depth
  static constexpr std::size_t outputs_at_once = 12;                      ///< streams of weights that the processor fetches ahead

  /// The padded input pixels that each output pixel reads, [pixel, depth] with rows `stride_` apart.
  [[nodiscard]] array<T> columns_of(T const* x) const {
    auto columns = filled<T>({pixels_, stride_}, T{0});
    for_each_read([&](std::size_t column, std::size_t pixel) { columns.data()[column] = x[pixel]; });
    return columns;
  }

  /// gx[pixel] += slopes[column] for all that read it.
  void scatter(T const* slopes, T* gx, bool accumulate) const {
    if (!accumulate) std::fill_n(gx, extents_.group_channels() * extents_.samples * extents_.h * extents_.w, T{0});
    for_each_read([&](std::size_t column, std::size_t pixel) { gx[pixel] += slopes[column]; });
  }

  /// Calls `f(index in the columns, index in x)` for every pixel read that is not padding; channels in parallel.
  template <class F>
  void for_each_read(F f) const {
    auto const& e = extents_;
    auto const& g = e.geometry;
    for_chunks(e.group_channels(), 32, [&](std::size_t begin, std::size_t end) {
      for (std::size_t p = 0; p < pixels_; ++p) {
        auto const n = p / (e.out_h * e.out_w);
        auto const oh = p / e.out_w % e.out_h;
        auto const ow = p % e.out_w;
        for (std::size_t i = 0; i < g.kernel.h; ++i)
          for (std::size_t j = 0; j < g.kernel.w; ++j) {
            auto const h = g.vertical().pixel(oh, i);
            auto const w = g.horizontal().pixel(ow, j);
            if (h >= e.h || w >= e.w) continue;
            for (auto c = begin; c < end; ++c)
              f(p * stride_ + c * e.taps() + i * g.kernel.w + j, ((c * e.samples + n) * e.h + h) * e.w + w);
          }
      }
    });
  }

  using dot_tile = std::array<std::array<vec<T>, dot_pixels>, dot_rows>;

  /// y of `dot_rows` outputs. Several tiles of pixels go through the depth in steps, so that a step's weights and columns stay near.
  void dots(T const* w, T const* columns, std::size_t o, T* y, ending<T> const& ending_of) const {
    std::array<dot_tile, most / dot_pixels> sums{};
    auto const tiles = chunk_count(pixels_, dot_pixels);
    auto const step = tiles == 1 ? depth_ : dot_depth;
    for (std::size_t k = 0; k < depth_; k += step)
      for (std::size_t t = 0; t < tiles; ++t) add_dots(w, columns, o, t * dot_pixels, k, std::min(k + step, depth_), sums[t]);
    ending_of.with_kind([&](auto kind) {
      for (std::size_t r = 0; r < std::min(dot_rows, outputs_ - o); ++r) {
        auto const end = ending_of.of(o + r);
        for (std::size_t p = 0; p < pixels_; ++p) {
          auto const at = (o + r) * pixels_ + p;
          y[at] = end.template finish<kind>(total(sums[p / dot_pixels][r][p % dot_pixels]),
                                            [at](T const* addend) { return addend[at]; });
        }
      }
    });
  }

  /// Part of a tile of dot products; where it reaches beyond the last row or pixel, that one again, which is not written.
  [[gnu::always_inline]] void add_dots(T const* w, T const* columns, std::size_t o, std::size_t p, std::size_t begin,
                                       std::size_t end, dot_tile& sums) const {
    T const* row[dot_rows];
    T const* column[dot_pixels];
    for (std::size_t r = 0; r < dot_rows; ++r) row[r] = w + std::min(o + r, outputs_ - 1) * depth_;
    for (std::size_t q = 0; q < dot_pixels; ++q) column[q] = columns + std::min(p + q, pixels_ - 1) * stride_;
    auto sum = sums;
    for (auto k = begin; k < end; k += lanes<T>) {
      vec<T> weights[dot_rows];
      vec<T> inputs[dot_pixels];
      unrolled<dot_rows>([&](auto r) { weights[r] = load(row[r] + k); });
      unrolled<dot_pixels>([&](auto q) { inputs[q] = load(column[q] + k); });
      unrolled<dot_rows>([&](auto r) { unrolled<dot_pixels>([&](auto q) { sum[r][q] += weights[r] * inputs[q]; }); });
    }
    sums = sum;
  }

  [[nodiscard]] static T total(vec<T> const& v) {
    T sum = v[0];
    for (std::size_t l = 1; l < lanes<T>; ++l) sum += v[l];
    return sum;
  }

  /// gy by tiles of pixels: [tile][output][row of the tile], missing pixels 0.
  [[nodiscard]] array<T> packed_by_pixels(T const* gy) const {
    auto const tiles = chunk_count(pixels_, tile_rows);
    auto packed = filled<T>({tiles, outputs_, tile_rows}, T{0});
    for (std::size_t o = 0; o < outputs_; ++o)
      for (std::size_t p = 0; p < pixels_; ++p)
        packed.data()[(p / tile_rows * outputs_ + o) * tile_rows + p % tile_rows] = gy[o * pixels_ + p];
    return packed;
  }

  /// slopes[p, k…] += Σ gy[o, p]·w[o, k…] over some outputs from `o` on, for all pixels; the first outputs set it.
  template <std::size_t Count>
  void add_slopes(T const* w, T const* packed, std::size_t o, scratch<std::ptrdiff_t> const& offsets, T* slopes) const {
    auto const many = std::min(outputs_at_once, outputs_ - o);
    for (std::size_t p = 0; p < pixels_; p += tile_rows) {
      auto const* const a = packed + (p / tile_rows * outputs_ + o) * tile_rows;
      auto const sums = multiply<T, Count>(a, neighbours<Count>(w + o * depth_), offsets.data(), many);
      put<Count>(sums, std::min(tile_rows, pixels_ - p), slopes + p * stride_, stride_, o != 0);
    }
  }

  template <std::size_t Count>
  [[gnu::always_inline]] static void put(tile<T, Count> const& sums, std::size_t rows, T* to, std::size_t stride, bool add) {
    for (std::size_t r = 0; r < rows; ++r, to += stride)
      unrolled<Count>([&](auto v) {
        auto* const here = to + v * lanes<T>;
        store(here, add ? load(here) + sums[r][v] : sums[r][v]);
      });
  }

  template <std::size_t Count>
  [[nodiscard]] static std::array<T const*, Count> neighbours(T const* first) {
    std::array<T const*, Count> all;
    for (std::size_t v = 0; v < Count; ++v) all[v] = first + v * lanes<T>;
    return all;
  }

  [[nodiscard]] static scratch<std::ptrdiff_t> multiples(std::size_t step, std::size_t count) {
    scratch<std::ptrdiff_t> all(count);
    for (std::size_t i = 0; i < count; ++i) all[i] = static_cast<std::ptrdiff_t>(i * step);
    return all;
  }

  conv_extents const& extents_;
  std::size_t pixels_, depth_, outputs_;
  std::size_t stride_;  ///< between pixels' columns: an odd number of steps, so that those of a step do not share cache sets
};

/// Calls `f(convolution, g)` for every group g of a convolution of few pixels; says whether it is one.
template <class T, class F>
bool by_few_pixels(conv_extents const& e, F f) {
  if (!few_pixels<T>::suits(e)) return false;
  few_pixels<T> const convolution(e);
  for (std::size_t g = 0; g < e.geometry.groups; ++g) f(convolution, g);
  return true;
}

}  // namespace lnpt::cpu::detail
