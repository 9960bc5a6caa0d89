#pragma once
/// Patches: padded copies of the pixels that a block of destination pixels reads, small enough for the cache.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

#include <lnpt/backend/cpu/convolution/sweep.hpp>
#include <lnpt/backend/cpu/parallel.hpp>
#include <lnpt/backend/cpu/simd.hpp>
#include <lnpt/backend/cpu/transpose.hpp>

namespace lnpt::cpu::detail {

/// The channels of one group of an image [C, N, H, W].
template <class T>
struct image_view {
  T* data;
  std::size_t channels, samples, h, w;

  [[nodiscard]] std::size_t channel_stride() const { return samples * h * w; }
};

/// A block of a sweep's grid: whole samples, or a band of rows of one sample.
struct block {
  std::size_t sample, samples, row, rows;
};

/// The order of the pixels of a patch: row by row of each sample, or the samples of a pixel next to each other, so that even the
/// smallest images fill whole vectors.
enum class pixel_order { rows, samples };

/// The blocks of a grid whose patches have about `target` pixels each; they depend on the shapes alone.
struct blocking {
  std::size_t samples, rows, samples_per_block, rows_per_block;

  /// `multiple`: rows of pixels with their samples shall fill a multiple of this, if there are enough samples.
  blocking(std::size_t all_samples, sweep const& s, std::size_t target, std::size_t multiple)
      : samples(all_samples), rows(s.rows) {
    auto const columns = (s.columns + s.halo_columns()) * s.phases.size();
    auto const pixels = (s.rows + s.halo_rows()) * columns;
    auto const even = [](std::size_t n, std::size_t at_most) {
      return chunk_count(n, chunk_count(n, std::clamp<std::size_t>(at_most, 1, n)));
    };
    auto const step = multiple / std::gcd(multiple, s.columns);
    samples_per_block = std::min(samples, chunk_count(even(samples, target / pixels), step) * step);
    rows_per_block = pixels <= target ? rows : even(rows, std::max(target / columns, s.halo_rows() + 1) - s.halo_rows());
  }

  [[nodiscard]] std::size_t bands() const { return chunk_count(rows, rows_per_block); }
  [[nodiscard]] std::size_t count() const { return chunk_count(samples, samples_per_block) * bands(); }
  [[nodiscard]] block operator[](std::size_t i) const {
    auto const sample = i / bands() * samples_per_block;
    auto const row = i % bands() * rows_per_block;
    return {sample, std::min(samples_per_block, samples - sample), row, std::min(rows_per_block, rows - row)};
  }
};

/// How the patch of one block lies in memory: [phase, sample, row, column] or [phase, row, column, sample], margins included.
/// Its grid pixels come in runs of neighbours that every tap finds next to each other, too.
struct patch_layout {
  sweep const& grid;
  block part;
  pixel_order order;
  std::size_t rows, columns;

  patch_layout(sweep const& s, block const& b, pixel_order o)
      : grid(s), part(b), order(o), rows(b.rows + s.halo_rows()), columns(s.columns + s.halo_columns()) {}

  [[nodiscard]] std::size_t pixels() const { return grid.phases.size() * part.samples * rows * columns; }
  [[nodiscard]] std::size_t grid_pixels() const { return part.samples * part.rows * grid.columns; }

  /// From one pixel of a row to the next.
  [[nodiscard]] std::size_t pixel_stride() const { return order == pixel_order::rows ? 1 : part.samples; }

  /// Where a pixel of a phase lies, counted from the corner of the patch.
  [[nodiscard]] std::size_t at(std::size_t phase, std::size_t sample, std::size_t row, std::size_t column) const {
    return order == pixel_order::rows ? ((phase * part.samples + sample) * rows + row) * columns + column
                                      : ((phase * rows + row) * columns + column) * part.samples + sample;
  }

  /// Where a tap reads for the first pixel of the block.
  [[nodiscard]] std::size_t offset(tap const& t) const {
    return at(t.phase, 0, static_cast<std::size_t>(t.row - grid.first_row),
              static_cast<std::size_t>(t.column - grid.first_column));
  }

  [[nodiscard]] std::size_t runs() const { return order == pixel_order::rows ? part.samples * part.rows : part.rows; }
  [[nodiscard]] std::size_t run_length() const { return order == pixel_order::rows ? grid.columns : grid.columns * part.samples; }
  [[nodiscard]] std::size_t run_offset(std::size_t run) const {
    return order == pixel_order::rows ? at(0, run / part.rows, run % part.rows, 0) : at(0, 0, run, 0);
  }

  /// The i-th pixel of a run, in the whole grid.
  struct grid_pixel {
    std::size_t sample, row, column;
  };
  [[nodiscard]] grid_pixel pixel(std::size_t run, std::size_t i) const {
    if (order == pixel_order::rows) return {part.sample + run / part.rows, part.row + run % part.rows, i};
    return {part.sample + i % part.samples, part.row + run, i / part.samples};
  }
};

/// The indices i < count for which (first + i)·stride + start lies in [0, extent).
struct inner_range {
  std::size_t begin, end;

  inner_range(std::ptrdiff_t first, std::size_t count, std::size_t start, std::size_t stride, std::size_t extent) {
    auto const pixels = start < extent ? static_cast<std::ptrdiff_t>((extent - start + stride - 1) / stride) : 0;
    begin = std::min(count, static_cast<std::size_t>(std::max<std::ptrdiff_t>(0, -first)));
    end = static_cast<std::size_t>(
        std::clamp(pixels - first, static_cast<std::ptrdiff_t>(begin), static_cast<std::ptrdiff_t>(count)));
  }
};

/// Walks the rows of a patch of an image: `zero(at, count)` for margins, `copy(at, from, count)` for pixels; `at` in the patch, `from` in a
/// channel of the image; pixels are `pixel_stride()` apart in the patch and `source_stride` in the image.
template <class Image, class Zero, class Copy>
void for_each_patch_row(patch_layout const& p, Image const& image, Zero zero, Copy copy) {
  auto const& s = p.grid;
  auto const first_row = s.first_row + static_cast<std::ptrdiff_t>(p.part.row);
  for (std::size_t phase = 0; phase < s.phases.size(); ++phase) {
    auto const [row0, column0] = s.phases[phase];
    inner_range const down(first_row, p.rows, row0, s.source_stride.h, image.h);
    inner_range const across(s.first_column, p.columns, column0, s.source_stride.w, image.w);
    auto const column =
        static_cast<std::size_t>(s.first_column + static_cast<std::ptrdiff_t>(across.begin)) * s.source_stride.w + column0;
    for (std::size_t n = 0; n < p.part.samples; ++n)
      for (std::size_t r = 0; r < p.rows; ++r) {
        if (r < down.begin || r >= down.end || across.begin == across.end) {
          zero(p.at(phase, n, r, 0), p.columns);
          continue;
        }
        auto const row = static_cast<std::size_t>(first_row + static_cast<std::ptrdiff_t>(r)) * s.source_stride.h + row0;
        zero(p.at(phase, n, r, 0), across.begin);
        copy(p.at(phase, n, r, across.begin), ((p.part.sample + n) * image.h + row) * image.w + column,
             across.end - across.begin);
        zero(p.at(phase, n, r, across.end), p.columns - across.end);
      }
  }
}

/// Where the pixels of one block go in its patch, for all channels alike.
class patch_map {
 public:
  template <class Image>
  patch_map(patch_layout const& p, Image const& image) {
    // Whole samples, or the rows of one sample that its patch reads: neighbours in memory in either case.
    auto const samples = p.order == pixel_order::samples ? 1 : p.part.samples;
    first_ = p.part.sample * image.h * image.w;
    targets_.assign(samples * image.h * image.w, unused);
    for_each_patch_row(
        p, image,
        [&](std::size_t at, std::size_t count) {
          if (count != 0) margins_.push_back({at, count});
        },
        [&](std::size_t at, std::size_t from, std::size_t count) {
          for (std::size_t i = 0; i < count; ++i)
            if (auto const pixel = from - first_ + i * p.grid.source_stride.w; pixel < targets_.size())
              targets_[pixel] = at + i * p.pixel_stride();
        });
    while (!targets_.empty() && targets_.back() == unused) targets_.pop_back();
    auto const begin = std::find_if(targets_.begin(), targets_.end(), [](auto t) { return t != unused; });
    first_ += static_cast<std::size_t>(begin - targets_.begin());
    targets_.erase(targets_.begin(), begin);
  }

  /// Copies the patches of as many channels as a vector has lanes, pixel by pixel: [pixel, lane]. Missing channels read 0.
  template <class T>
  void interleave(image_view<T const> const& image, std::size_t channel, T* to) const {
    for (auto const& m : margins_) std::fill_n(to + m.at * lanes<T>, m.count * lanes<T>, T{0});
    for_each_column<lanes<T>>(image.data + channel * image.channel_stride() + first_, image.channel_stride(),
                              std::min(lanes<T>, image.channels - channel), targets_.size(),
                              [&](std::size_t i, vec<T> const& pixel) {
                                if (targets_[i] != unused) store(to + targets_[i] * lanes<T>, pixel);
                              });
  }

 private:
  static constexpr auto unused = static_cast<std::size_t>(-1);

  struct margin {
    std::size_t at, count;
  };

  std::size_t first_ = 0;
  scratch<std::size_t> targets_;  ///< of the pixels from `first_` on
  scratch<margin> margins_;
};

/// How the pixels of one block go into the patch of a channel: worked out once, carried out for channel after channel.
class patch_copy {
 public:
  /// `size`: of a patch in memory; what lies behind its pixels is zero.
  template <class Image>
  patch_copy(patch_layout const& p, Image const& image, std::size_t size) {
    auto const step = p.pixel_stride();
    auto const stride = p.grid.source_stride.w;
    for_each_patch_row(
        p, image,
        [&](std::size_t at, std::size_t count) {
          if (at % step == 0) add_margin(at, count * step);  // of the first sample: the others lie beside it
        },
        [&](std::size_t at, std::size_t from, std::size_t count) {
          if (step == 1 && stride == 1) return add_row(at, from, count);
          for (std::size_t i = 0; i < count; ++i)
            pixels_.push_back({static_cast<std::uint32_t>(at + i * step), static_cast<std::uint32_t>(from + i * stride)});
        });
    add_margin(p.pixels(), size - p.pixels());
  }

  template <class T>
  void operator()(T const* channel, T* patch) const {
    for (auto const& m : margins_) std::fill_n(patch + m.at, m.count, T{0});
    for (auto const& r : rows_) std::copy_n(channel + r.from, r.count, patch + r.at);
    for (auto const& p : pixels_) patch[p.at] = channel[p.from];
  }

 private:
  struct margin {
    std::size_t at, count;
  };
  struct row {
    std::size_t at, from, count;
  };
  struct pixel {
    std::uint32_t at, from;
  };

  void add_margin(std::size_t at, std::size_t count) {
    if (!margins_.empty() && margins_.back().at + margins_.back().count == at)
      margins_.back().count += count;
    else if (count != 0)
      margins_.push_back({at, count});
  }
  void add_row(std::size_t at, std::size_t from, std::size_t count) {
    if (!rows_.empty() && rows_.back().at + rows_.back().count == at && rows_.back().from + rows_.back().count == from)
      rows_.back().count += count;
    else
      rows_.push_back({at, from, count});
  }

  scratch<margin> margins_;
  scratch<row> rows_;
  scratch<pixel> pixels_;
};

}  // namespace lnpt::cpu::detail
