#pragma once
/// Planes: copies of an image by which every tap of a sweep reads consecutive, aligned vectors, whatever the width of the map.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

#include <lnpt/backend/cpu/convolution/patch.hpp>
#include <lnpt/backend/cpu/convolution/sweep.hpp>
#include <lnpt/backend/cpu/parallel.hpp>
#include <lnpt/backend/cpu/simd.hpp>

namespace lnpt::cpu::sparse {

using cpu::detail::block;
using cpu::detail::image_view;
using cpu::detail::sweep;

/// Which planes a sweep's kept weights read, and how the pixels of a block lie in them: [row, sample, column].
///
/// A plane is the source shifted by the columns of one tap, with zeros where that leaves the image; a tap's row is then an offset of whole
/// lines. The pixels of all rows, samples and columns follow one another without gaps, so that maps of 2² fill vectors as well as large
/// ones do. Margins exist above and below alone, and are copied, never multiplied.
template <class T>
class plane_layout {
 public:
  plane_layout(sweep const& s, image_view<T const> source) : sweep_(s), source_(source) {
    auto const index_in = [](auto& all, auto const& one) {
      auto const found = std::find(all.begin(), all.end(), one);
      if (found != all.end()) return static_cast<std::size_t>(found - all.begin());
      all.push_back(one);
      return all.size() - 1;
    };
    for (auto const& t : s.taps) {
      auto const& from = s.phases[t.phase];
      tap_shift_.push_back(index_in(shifts_, shift{from.column, t.column}));
      tap_phase_.push_back(index_in(row_phases_, from.row));
    }
    plane_.assign(source.channels * slots(), unused);
  }

  /// Says that a kept weight reads this channel by this tap of the sweep.
  void use(std::size_t channel, std::size_t tap) { plane_[slot(channel, tap)] = 0; }

  /// Numbers the planes in use and divides the grid into blocks whose planes fit the second cache, all of one layout.
  void arrange() {
    for (std::size_t channel = 0; channel < source_.channels; ++channel) {
      first_plane_.push_back(count_);
      for (std::size_t i = 0; i < slots(); ++i)
        if (auto& plane = plane_[channel * slots() + i]; plane != unused) plane = static_cast<std::uint32_t>(count_++);
    }
    first_plane_.push_back(count_);
    auto const pixels = sweep_.rows * sweep_.columns;
    auto const whole = (sweep_.rows + sweep_.halo_rows()) * sweep_.columns;
    auto const target = std::max(patch_elements<T> / std::max<std::size_t>(1, count_), least_pixels);
    auto const even = [](std::size_t n, std::size_t at_most) {
      return chunk_count(n, chunk_count(n, std::clamp<std::size_t>(at_most, 1, n)));
    };
    auto const wanted = std::clamp(target / whole, chunk_count(least_pixels, pixels), chunk_count(enough_pixels, pixels));
    auto const step = wanted == 1 ? 1 : lanes<T> / std::gcd(lanes<T>, sweep_.columns);
    samples_ = std::min(source_.samples, chunk_count(even(source_.samples, wanted), step) * step);
    rows_ = whole <= target ? sweep_.rows
                            : even(sweep_.rows, std::max(target / sweep_.columns, sweep_.halo_rows() + 1) - sweep_.halo_rows());
    if (samples_ > 1) rows_ = sweep_.rows;
    stride_ = (chunk_count((rows_ + sweep_.halo_rows()) * line() + lanes<T>, lanes<T>) | 1) * lanes<T>;
  }

  [[nodiscard]] std::size_t blocks() const { return chunk_count(source_.samples, samples_) * bands(); }
  [[nodiscard]] block operator[](std::size_t i) const {
    auto const sample = i / bands() * samples_;
    auto const row = i % bands() * rows_;
    return {sample, std::min(samples_, source_.samples - sample), row, std::min(rows_, sweep_.rows - row)};
  }
  /// Of a block: pixels of all samples of the layout, though its last block may have fewer.
  [[nodiscard]] std::size_t pixels(block const& b) const { return b.rows * line(); }
  [[nodiscard]] std::size_t most_pixels() const { return chunk_count(rows_ * line(), lanes<T>) * lanes<T>; }
  [[nodiscard]] std::size_t samples() const { return samples_; }
  [[nodiscard]] std::size_t line() const { return samples_ * sweep_.columns; }

  /// Elements of all planes of a block; of one where nothing is kept, so that a tile always has an address.
  [[nodiscard]] std::size_t size() const { return std::max<std::size_t>(1, count_) * stride_; }
  [[nodiscard]] std::size_t channels() const { return source_.channels; }

  /// Where the plane of a channel begins for a tap.
  [[nodiscard]] std::uint32_t offset(std::size_t channel, std::size_t tap) const {
    auto const row = static_cast<std::size_t>(sweep_.taps[tap].row - sweep_.first_row);
    return static_cast<std::uint32_t>(plane_[slot(channel, tap)] * stride_ + row * line());
  }

  /// Copies a block's pixels of the channels from `begin` to `end` into their planes.
  void fill(block const& b, std::size_t begin, std::size_t end, T* planes) const {
    bool const whole_rows = sweep_.source_stride == 1 && sweep_.columns == source_.w;
    for (auto channel = begin; channel < end; ++channel) {
      if (channel + 1 < end) fetch(b, channel + 1);
      for (std::size_t phase = 0; phase < row_phases_.size(); ++phase)
        for (std::size_t i = 0; i < shifts_.size(); ++i) {
          auto const plane = plane_[(channel * row_phases_.size() + phase) * shifts_.size() + i];
          if (plane == unused) continue;
          if (whole_rows && samples_ == 1)
            move_sample(b, channel, shifts_[i].by, planes + plane * stride_);
          else if (whole_rows)
            move(b, channel, phase, shifts_[i].by, planes + plane * stride_);
          else
            gather(b, channel, phase, shifts_[i], planes + plane * stride_);
        }
    }
  }

 private:
  static constexpr auto unused = static_cast<std::uint32_t>(-1);
  static constexpr std::size_t least_pixels = 8 * lanes<T>, enough_pixels = 16 * lanes<T>;
  template <class U>
  static constexpr std::size_t patch_elements = (std::size_t{1} << 19) / sizeof(U);

  /// Grid column c reads the source's column (c + by)·stride + phase.
  struct shift {
    std::size_t phase;
    std::ptrdiff_t by;
    friend bool operator==(shift const&, shift const&) = default;
  };

  [[nodiscard]] std::size_t slots() const { return row_phases_.size() * shifts_.size(); }
  [[nodiscard]] std::size_t slot(std::size_t channel, std::size_t tap) const {
    return (channel * row_phases_.size() + tap_phase_[tap]) * shifts_.size() + tap_shift_[tap];
  }
  [[nodiscard]] std::size_t bands() const { return chunk_count(sweep_.rows, rows_); }

  /// Calls `f(row of the source, line)` for the lines of a plane, and clears those that lie outside the image and what lies behind.
  template <class F>
  void for_each_line(block const& b, std::size_t phase, T* plane, F f) const {
    auto const lines = b.rows + sweep_.halo_rows();
    for (std::size_t r = 0; r < lines; ++r) {
      auto const row =
          (static_cast<std::ptrdiff_t>(b.row + r) + sweep_.first_row) * static_cast<std::ptrdiff_t>(sweep_.source_stride.h) +
          static_cast<std::ptrdiff_t>(row_phases_[phase]);
      auto* const to = plane + r * line();
      if (row < 0 || row >= static_cast<std::ptrdiff_t>(source_.h)) {
        std::fill_n(to, line(), T{0});
      } else {
        f(static_cast<std::size_t>(row), to);
        std::fill_n(to + b.samples * sweep_.columns, (samples_ - b.samples) * sweep_.columns, T{0});
      }
    }
    std::fill_n(plane + lines * line(), lanes<T>, T{0});
  }

  [[nodiscard]] T const* pixel(block const& b, std::size_t channel, std::size_t row) const {
    return source_.data + channel * source_.channel_stride() + (b.sample * source_.h + row) * source_.w;
  }

  /// Brings near what a block reads of a channel: it lies a whole channel behind the one before, where no processor looks ahead.
  void fetch(block const& b, std::size_t channel) const {
    constexpr std::size_t cache_line = 64 / sizeof(T);
    auto const stride = static_cast<std::ptrdiff_t>(sweep_.source_stride.h);
    auto const inside = [&](std::ptrdiff_t row) {
      return static_cast<std::size_t>(std::clamp<std::ptrdiff_t>(row * stride, 0, static_cast<std::ptrdiff_t>(source_.h)));
    };
    auto const top = inside(static_cast<std::ptrdiff_t>(b.row) + sweep_.first_row);
    auto const bottom = inside(static_cast<std::ptrdiff_t>(b.row + b.rows) + sweep_.last_row);
    auto const* const from = pixel(b, channel, top);
    for (std::size_t i = 0; i < ((b.samples - 1) * source_.h + bottom - top) * source_.w; i += cache_line)
      __builtin_prefetch(from + i);
  }

  /// One plane of one sample of a source as wide as the grid: all its rows are moved at once.
  void move_sample(block const& b, std::size_t channel, std::ptrdiff_t by, T* plane) const {
    auto const width = sweep_.columns;
    auto const lines = b.rows + sweep_.halo_rows();
    auto const top = static_cast<std::ptrdiff_t>(b.row) + sweep_.first_row;
    auto const above = std::min(lines, static_cast<std::size_t>(std::max<std::ptrdiff_t>(0, -top)));
    auto const inside = static_cast<std::size_t>(
        std::clamp<std::ptrdiff_t>(static_cast<std::ptrdiff_t>(source_.h) - top, 0, static_cast<std::ptrdiff_t>(lines)));
    std::fill_n(plane, above * width, T{0});
    if (inside > above) {
      auto* const to = plane + above * width;
      auto const* const from = pixel(b, channel, static_cast<std::size_t>(top + static_cast<std::ptrdiff_t>(above)));
      auto const size = (inside - above) * width;
      auto const far = std::min(width, static_cast<std::size_t>(std::abs(by)));
      std::copy_n(by > 0 ? from + far : from, size - far, by < 0 ? to + far : to);
      for (std::size_t c = 0; c < far; ++c)
        for (auto at = by > 0 ? width - far + c : c; at < size; at += width) to[at] = T{0};
    }
    std::fill_n(plane + std::max(above, inside) * width, (lines - std::max(above, inside)) * width + lanes<T>, T{0});
  }

  /// One plane of several samples of a source as wide as the grid.
  void move(block const& b, std::size_t channel, std::size_t phase, std::ptrdiff_t by, T* plane) const {
    with_width(sweep_.columns, [&](auto width) {
      for_each_line(b, phase, plane, [&](std::size_t row, T* to) {
        auto const* from = pixel(b, channel, row);
        for (std::size_t n = 0; n < b.samples; ++n, from += source_.h * source_.w, to += width()) move_row(from, width, by, to);
      });
    });
  }

  /// to[c] = from[c + by], 0 outside the row.
  template <class Width>
  [[gnu::always_inline]] static void move_row(T const* from, Width width, std::ptrdiff_t by, T* to) {
    if (by == 0) {
      std::copy_n(from, width(), to);
    } else if (by == 1) {
      std::copy_n(from + 1, width() - 1, to);
      to[width() - 1] = T{0};
    } else if (by == -1) {
      to[0] = T{0};
      std::copy_n(from, width() - 1, to + 1);
    } else {
      auto const far = std::min<std::size_t>(width(), static_cast<std::size_t>(std::abs(by)));
      if (by < 0) std::fill_n(to, far, T{0});
      std::copy_n(by > 0 ? from + far : from, width() - far, by > 0 ? to : to + far);
      if (by > 0) std::fill_n(to + width() - far, far, T{0});
    }
  }

  /// One shifted plane of a source whose rows are wider, narrower or strided.
  void gather(block const& b, std::size_t channel, std::size_t phase, shift const& s, T* plane) const {
    auto const stride = sweep_.source_stride.w;
    cpu::detail::inner_range const inside(s.by, sweep_.columns, s.phase, stride, source_.w);
    for_each_line(b, phase, plane, [&](std::size_t row, T* to) {
      for (std::size_t n = 0; n < b.samples; ++n, to += sweep_.columns) {
        auto const* const from = pixel(b, channel, row) + n * source_.h * source_.w;
        std::fill_n(to, inside.begin, T{0});
        for (auto c = inside.begin; c < inside.end; ++c)
          to[c] = from[static_cast<std::size_t>(static_cast<std::ptrdiff_t>(c) + s.by) * stride + s.phase];
        std::fill_n(to + inside.end, sweep_.columns - inside.end, T{0});
      }
    });
  }

 public:
  /// Calls `f(width)` where `width()` is a constant for the powers of two up to `Largest`, so that copies of it are a few moves.
  template <std::size_t Largest = 32, class F>
  static void with_width(std::size_t width, F f) {
    if constexpr (Largest < 2)
      f([width] { return width; });
    else if (width == Largest)
      f(std::integral_constant<std::size_t, Largest>{});
    else
      with_width<Largest / 2>(width, f);
  }

 private:
  sweep const& sweep_;
  image_view<T const> source_;
  std::vector<shift> shifts_;
  std::vector<std::size_t> row_phases_, tap_shift_, tap_phase_;
  std::vector<std::uint32_t> plane_;  ///< [channel, row phase, shift]
  std::vector<std::size_t> first_plane_;
  std::size_t count_ = 0, samples_ = 1, rows_ = 1, stride_ = 0;
};

/// The pixels of a block in a channel of the sweep's destination, in the order of the planes.
template <class T>
class destination {
 public:
  destination(sweep const& s, image_view<T> image, std::size_t samples_per_line)
      : sweep_(s), image_(image), samples_(samples_per_line) {}

  /// Whether a block's pixels are neighbours in memory.
  [[nodiscard]] bool contiguous() const { return sweep_.stride == 1 && samples_ == 1; }
  [[nodiscard]] T* begin(block const& b, std::size_t channel) const {
    return image_.data + channel * image_.channel_stride() +
           (b.sample * image_.h + sweep_.row0 + b.row * sweep_.stride.h) * image_.w + sweep_.column0;
  }

  /// Calls `f(pixels in memory, stride, begin, width)` for the runs of neighbouring columns that pixels [begin, begin + count) are.
  template <class F>
  void for_each_run(block const& b, std::size_t channel, std::size_t begin, std::size_t count, F f) const {
    auto const columns = sweep_.columns;
    auto const line = samples_ * columns;
    auto row = begin / line;
    auto sample = begin % line / columns;
    auto column = begin % columns;
    auto* const first = this->begin(b, channel);
    for (std::size_t done = 0; done < count;) {
      auto const width = std::min(columns - column, count - done);
      if (sample < b.samples)
        f(first + (sample * image_.h + row * sweep_.stride.h) * image_.w + column * sweep_.stride.w, sweep_.stride.w, done,
          width);
      done += width, column = 0;
      if (++sample == samples_) sample = 0, ++row;
    }
  }

 private:
  sweep const& sweep_;
  image_view<T> image_;
  std::size_t samples_;
};

}  // namespace lnpt::cpu::sparse
