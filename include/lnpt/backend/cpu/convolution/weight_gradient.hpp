#pragma once
/// The engine of the weight gradient and of its squares per sample: input channels across vectors, output channels down the tile.
#include <algorithm>
#include <vector>

#include <lnpt/backend/cpu/array.hpp>
#include <lnpt/backend/cpu/convolution/patch.hpp>
#include <lnpt/backend/cpu/convolution/tile.hpp>
#include <lnpt/backend/cpu/parallel.hpp>

namespace lnpt::cpu::detail {

/// The summand of a sweep: the gradient of a sample, or the square of the gradient of a sample.
enum class weight_sum { gradient, squares };

/// The sums of one group: Σ over pixels of gy[o]·x[c at tap], for all o, c and taps, in parts that are added in a fixed order.
///
/// A task takes some of the samples and some of the input channels, block by block. In a block, output gradients are packed by tiles
/// of output channels, and inputs by vectors of channels; every tap of such a vector is then the same memory at another offset.
template <weight_sum Sum, class T>
class weight_gradient_sums {
 public:
  weight_gradient_sums(sweep const& s, image_view<T const> x, image_view<T const> gy)
      : sweep_(s),
        x_(x),
        gy_(gy),
        groups_(chunk_count(x.channels, lanes<T>)),
        tiles_(chunk_count(gy.channels, tile_rows)),
        blocks_(x.samples, s, block_pixels, 1),
        parts_(std::clamp<std::size_t>(parts_elements / elements(), 1, std::min(runs(), wanted_tasks))),
        ranges_(std::clamp<std::size_t>(chunk_count(wanted_tasks, parts_), 1, groups_)),
        sums_(uninitialized<T>({parts_ * elements()})) {}

  [[nodiscard]] std::size_t tasks() const { return parts_ * ranges_; }

  void operator()(std::size_t task) {
    auto const part = task / ranges_;
    auto const range = task % ranges_;
    channel_groups const channels{groups_ * range / ranges_, groups_ * (range + 1) / ranges_};
    auto* const sums = sums_.data() + part * elements();
    for (std::size_t t = 0; t < tiles_; ++t)
      std::fill(sums + vector_at(t, channels.begin * sweep_.taps.size()), sums + vector_at(t, channels.end * sweep_.taps.size()),
                T{0});
    bool const banded = Sum == weight_sum::squares && blocks_.bands() > 1;
    auto sample = filled<T>({banded ? elements() : 0}, T{0});  // the gradient of one sample that comes in several bands
    for (auto run = runs() * part / parts_; run != runs() * (part + 1) / parts_; ++run)
      for (std::size_t band = 0; band < blocks_.bands(); ++band) {
        block_data const data(*this, blocks_[run * blocks_.bands() + band], channels);
        if (banded) {
          add_block<weight_sum::gradient>(data, channels, sample.data());
          if (band + 1 == blocks_.bands()) move_squares(sample, channels, sums);
        } else {
          add_block<Sum>(data, channels, sums);
        }
      }
  }

  /// Writes the sums in PyTorch's order.
  void write(T* w, bool accumulate) const {
    auto const taps = sweep_.taps.size();
    for_each_task(gy_.channels, [&](std::size_t o) {
      scratch<T> totals(taps * lanes<T>);
      for (std::size_t c = 0; c < x_.channels; c += lanes<T>) {
        for (std::size_t t = 0; t < taps; ++t) {
          auto const* const from = sums_.data() + vector_at(o / tile_rows, c / lanes<T> * taps + t) + o % tile_rows * lanes<T>;
          vec<T> total{};
          for (std::size_t part = 0; part < parts_; ++part) total += load(from + part * elements());
          store(totals.data() + t * lanes<T>, total);
        }
        auto* const to = w + (o * x_.channels + c) * taps;
        auto const channels = std::min(lanes<T>, x_.channels - c);
        for (std::size_t l = 0; l < channels; ++l)
          for (std::size_t t = 0; t < taps; ++t) {
            auto& element = to[l * taps + sweep_.taps[t].weight];
            element = accumulate ? element + totals[t * lanes<T> + l] : totals[t * lanes<T> + l];
          }
      }
    });
  }

 private:
  static constexpr std::size_t block_pixels = 1024;
  static constexpr std::size_t parts_elements = 1 << 20;
  static constexpr std::size_t wanted_tasks = 16;

  /// A range of input channels, a vector each.
  struct channel_groups {
    std::size_t begin, end;
  };

  /// The packed pixels of one block, and where they lie.
  struct block_data {
    patch_layout layout;
    array<T> inputs;     ///< [channel group][pixel of the patch][lane]
    array<T> gradients;  ///< [tile][pixel of the grid][row]
    scratch<std::ptrdiff_t> offsets;

    block_data(weight_gradient_sums const& all, block const& b, channel_groups channels)
        : layout(all.sweep_, b, pixel_order::rows),
          inputs(uninitialized<T>({(channels.end - channels.begin) * layout.pixels() * lanes<T>})),
          gradients(uninitialized<T>({all.tiles_ * layout.grid_pixels() * tile_rows})) {
      patch_map const map(layout, all.x_);
      for (auto g = channels.begin; g != channels.end; ++g)
        map.interleave(all.x_, g * lanes<T>, inputs.data() + (g - channels.begin) * layout.pixels() * lanes<T>);
      auto const first = (b.sample * all.sweep_.rows + b.row) * all.sweep_.columns;
      for (std::size_t t = 0; t < all.tiles_; ++t) {
        auto* const to = gradients.data() + t * layout.grid_pixels() * tile_rows;
        for_each_column<tile_rows>(
            all.gy_.data + t * tile_rows * all.gy_.channel_stride() + first, all.gy_.channel_stride(),
            std::min(tile_rows, all.gy_.channels - t * tile_rows), layout.grid_pixels(),
            [&](std::size_t i, vec<T, tile_rows> const& outputs) { store<T, tile_rows>(to + i * tile_rows, outputs); });
      }
      for (std::size_t run = 0; run < layout.runs(); ++run)
        for (std::size_t i = 0; i < layout.run_length(); ++i)
          offsets.push_back(static_cast<std::ptrdiff_t>((layout.run_offset(run) + i) * lanes<T>));
    }
  };

  /// Blocks of whole samples.
  [[nodiscard]] std::size_t runs() const { return blocks_.count() / blocks_.bands(); }
  [[nodiscard]] std::size_t vectors() const { return groups_ * sweep_.taps.size(); }
  [[nodiscard]] std::size_t elements() const { return tiles_ * vectors() * tile_rows * lanes<T>; }

  /// Sums lie as [tile][channel group, tap][row][lane].
  [[nodiscard]] std::size_t vector_at(std::size_t tile, std::size_t vector) const {
    return (tile * vectors() + vector) * tile_rows * lanes<T>;
  }

  template <weight_sum What>
  void add_block(block_data const& data, channel_groups channels, T* sums) const {
    auto const taps = sweep_.taps.size();
    for (auto v = channels.begin * taps; v < channels.end * taps; v += tile_vectors)
      with_vectors(std::min(tile_vectors, channels.end * taps - v), [&](auto count) {
        std::array<T const*, count> b;
        for (std::size_t i = 0; i < count; ++i)
          b[i] = data.inputs.data() +
                 (((v + i) / taps - channels.begin) * data.layout.pixels() + data.layout.offset(sweep_.taps[(v + i) % taps])) *
                     lanes<T>;
        for (std::size_t t = 0; t < tiles_; ++t) add_tile<What, count>(data, t, b, sums + vector_at(t, v));
      });
  }

  template <weight_sum What, std::size_t Count>
  static void add_tile(block_data const& data, std::size_t t, std::array<T const*, Count> const& b, T* sums) {
    auto const pixels = data.layout.grid_pixels();
    auto const* const a = data.gradients.data() + t * pixels * tile_rows;
    if constexpr (What == weight_sum::squares) {
      add_squares<Count>(data, a, b, sums);
      add_squares<Count>(data, a + tile_rows / 2, b, sums + tile_rows / 2 * lanes<T>);
    } else {
      auto const product = multiply<T, Count>(a, b, data.offsets.data(), pixels);
      for_each_sum<Count, tile_rows>(sums, [&](auto r, auto v, T* to) { store(to, load(to) + product[r][v]); });
    }
  }

  /// Half a tile, so that the sums of squares and the gradient of a sample are in registers at the same time.
  template <std::size_t Count>
  static void add_squares(block_data const& data, T const* a, std::array<T const*, Count> const& b, T* sums) {
    constexpr auto rows = tile_rows / 2;
    auto const pixels = data.layout.grid_pixels();
    auto const per_sample = pixels / data.layout.part.samples;
    tile<T, Count, rows> total;
    for_each_sum<Count, rows>(sums, [&](auto r, auto v, T const* from) { total[r][v] = load(from); });
    for (std::size_t q = 0; q < pixels; q += per_sample) {
      auto const sample = multiply<T, Count, rows>(a + q * tile_rows, b, &data.offsets[q], per_sample);
      unrolled<rows>([&](auto r) { unrolled<Count>([&](auto v) { total[r][v] += sample[r][v] * sample[r][v]; }); });
    }
    for_each_sum<Count, rows>(sums, [&](auto r, auto v, T* to) { store(to, total[r][v]); });
  }

  template <std::size_t Count, std::size_t Rows, class F>
  [[gnu::always_inline]] static void for_each_sum(T* sums, F f) {
    unrolled<Rows>([&](auto r) { unrolled<Count>([&](auto v) { f(r, v, sums + (v * tile_rows + r) * lanes<T>); }); });
  }

  /// sums += sample², sample = 0.
  void move_squares(array<T>& sample, channel_groups channels, T* sums) const {
    auto const taps = sweep_.taps.size();
    for (std::size_t t = 0; t < tiles_; ++t)
      for (auto i = vector_at(t, channels.begin * taps); i != vector_at(t, channels.end * taps); ++i) {
        sums[i] += sample.data()[i] * sample.data()[i];
        sample.data()[i] = T{0};
      }
  }

  sweep const& sweep_;
  image_view<T const> x_, gy_;
  std::size_t groups_, tiles_;
  blocking blocks_;
  std::size_t parts_, ranges_;
  array<T> sums_;
};

}  // namespace lnpt::cpu::detail
