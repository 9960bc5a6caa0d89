#pragma once
/// The engine of the convolution and of its input gradient: destination pixels across vectors, destination channels down the tile.
#include <algorithm>
#include <vector>

#include <lnpt/backend/cpu/array.hpp>
#include <lnpt/backend/cpu/convolution/patch.hpp>
#include <lnpt/backend/cpu/convolution/strip.hpp>
#include <lnpt/backend/cpu/convolution/tile.hpp>
#include <lnpt/backend/cpu/parallel.hpp>

namespace lnpt::cpu::detail {

/// Where the weight between a destination channel and a source channel lies, but for the tap.
struct weight_strides {
  std::size_t destination, source;
};

/// Weights packed for a sweep: [tile of destination channels][source channel, tap][row of the tile], missing channels 0.
template <class T>
[[nodiscard]] array<T> pack_weights(T const* w, weight_strides strides, std::size_t destinations, std::size_t sources,
                                    sweep const& s) {
  auto const taps = s.taps.size();
  auto const tiles = chunk_count(destinations, tile_rows);
  auto const depth = sources * taps;
  // Weights that are neighbours in the tile's order are transposed in registers: all of them, all taps of a source, or single ones.
  bool const neighbours = s.taps_in_order() && taps == std::min(strides.destination, strides.source);
  auto const run = !neighbours ? 1 : strides.source == taps ? depth : taps;
  auto packed = uninitialized<T>({tiles * depth * tile_rows});
  for_each_task(tiles, [&](std::size_t t) {
    auto* const to = packed.data() + t * depth * tile_rows;
    auto const rows = std::min(tile_rows, destinations - t * tile_rows);
    for (std::size_t k = 0; k < depth; k += run) {
      auto const* const from = w + t * tile_rows * strides.destination + k / taps * strides.source + s.taps[k % taps].weight;
      for_each_column<tile_rows>(from, strides.destination, rows, run, [&](std::size_t i, vec<T, tile_rows> const& column) {
        store<T, tile_rows>(to + (k + i) * tile_rows, column);
      });
    }
  });
  return packed;
}

/// One sweep over one group of channels.
template <class T>
class correlation {
 public:
  correlation(sweep const& s, image_view<T const> source, image_view<T> destination, T const* packed, ending<T> const& end)
      : sweep_(s),
        source_(source),
        destination_(destination),
        packed_(packed),
        ending_(end),
        order_(order_for<T>(s, source.samples)),
        blocks_(source.samples, s, patch_elements / source.channels, order_ == pixel_order::samples ? lanes<T> : 1),
        splits_(std::clamp<std::size_t>(chunk_count(wanted_tasks, blocks_.count()), 1, chunk_count(tiles(), 4))) {}

  [[nodiscard]] std::size_t tasks() const { return blocks_.count() * splits_; }

  /// One block of pixels of some of the destination channels.
  void operator()(std::size_t task) const {
    patch_layout const layout(sweep_, blocks_[task / splits_], order_);
    auto patch = uninitialized<T>({source_.channels * layout.pixels() + lanes<T>});  // the last vector may reach beyond
    patch_copy const copy(layout, source_, layout.pixels());
    for (std::size_t c = 0; c < source_.channels; ++c)
      copy(source_.data + c * source_.channel_stride(), patch.data() + c * layout.pixels());
    auto const offsets = depth_offsets(layout);
    auto const strips = strips_of<T>(layout, destination_);
    auto const split = task % splits_;
    for (auto t = tiles() * split / splits_; t != tiles() * (split + 1) / splits_; ++t)
      for (std::size_t s = 0; s < strips.size(); s += tile_vectors)
        with_vectors(std::min(tile_vectors, strips.size() - s),
                     [&](auto count) { multiply_strips<count>(patch.data(), offsets, &strips[s], t); });
  }

 private:
  static constexpr std::size_t patch_elements = 1 << 17;
  static constexpr std::size_t wanted_tasks = 16;

  [[nodiscard]] std::size_t tiles() const { return chunk_count(destination_.channels, tile_rows); }

  /// The offsets in the patch of the rows of the product.
  [[nodiscard]] scratch<std::ptrdiff_t> depth_offsets(patch_layout const& layout) const {
    scratch<std::ptrdiff_t> offsets;
    offsets.reserve(source_.channels * sweep_.taps.size());
    for (std::size_t c = 0; c < source_.channels; ++c)
      for (auto const& t : sweep_.taps) offsets.push_back(static_cast<std::ptrdiff_t>(c * layout.pixels() + layout.offset(t)));
    return offsets;
  }

  template <std::size_t Count>
  void multiply_strips(T const* patch, scratch<std::ptrdiff_t> const& offsets, strip<T> const* strips, std::size_t t) const {
    std::array<T const*, Count> b;
    for (std::size_t v = 0; v < Count; ++v) b[v] = patch + strips[v].read;
    auto const rows = std::min(tile_rows, destination_.channels - t * tile_rows);
    auto const first = [&](std::size_t r) { return (t * tile_rows + r) * destination_.channel_stride(); };
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t v = 0; v < Count; ++v) {
        __builtin_prefetch(destination_.data + first(r) + strips[v].write[0], 1);
        if (ending_.addend) __builtin_prefetch(ending_.addend + first(r) + strips[v].write[0]);
      }
    auto const sums = multiply<T, Count>(packed_ + t * offsets.size() * tile_rows, b, offsets.data(), offsets.size());
    ending_.with_kind([&](auto kind) {
      for (std::size_t r = 0; r < rows; ++r) {
        auto const end = ending_.of(t * tile_rows + r);
        for (std::size_t v = 0; v < Count; ++v) strips[v].template put<kind>(sums[r][v], destination_.data, first(r), end);
      }
    });
  }

  sweep const& sweep_;
  image_view<T const> source_;
  image_view<T> destination_;
  T const* packed_;
  ending<T> ending_;
  pixel_order order_;
  blocking blocks_;
  std::size_t splits_;
};

/// Carries out a sweep over all groups; the source and destination images hold the channels of one group.
template <class T>
void correlate(sweep s, image_view<T const> source, image_view<T> destination, T const* w, weight_strides strides,
               std::size_t weights_per_group, std::size_t groups, ending<T> end) {
  if (s.taps.empty() || s.rows * s.columns == 0) return;
  bool const same_extents = source.h == destination.h && source.w == destination.w;
  if (s.pointwise() && same_extents && source.channel_stride() % lanes<T> == 0) {  // neighbours do not matter: any rows will do
    source = {source.data, source.channels, 1, source.channel_stride() / lanes<T>, lanes<T>};
    destination = {destination.data, destination.channels, 1, source.h, source.w};
    s.rows = source.h, s.columns = source.w;
  }
  for (std::size_t g = 0; g < groups; ++g) {
    auto const packed = pack_weights(w + g * weights_per_group, strides, destination.channels, source.channels, s);
    correlation<T> const one(s, source, destination, packed.data(), end);
    for_each_task(one.tasks(), one);
    source.data += source.channels * source.channel_stride();
    destination.data += destination.channels * destination.channel_stride();
    end = end.from(destination.channels, destination.channels * destination.channel_stride());
  }
}

}  // namespace lnpt::cpu::detail
