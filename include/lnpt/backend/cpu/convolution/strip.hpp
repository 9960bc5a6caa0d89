#pragma once
/// Strips: the vectors of destination pixels that a block consists of.
#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include <lnpt/backend/cpu/convolution/ending.hpp>
#include <lnpt/backend/cpu/convolution/patch.hpp>

namespace lnpt::cpu::detail {

/// A vector of grid pixels: where it reads in the patch of a channel, and where its pixels go in a channel of the destination.
template <class T>
struct strip {
  std::size_t read, width;
  bool contiguous;
  std::array<std::uint32_t, lanes<T>> write;

  /// Stores what the sums end as; the channel begins at element `first` of the image.
  template <ending_kind Kind>
  void put(vec<T> const& sums, T* image, std::size_t first, channel_ending<T> const& end) const {
    if (contiguous) {
      auto const at = first + write[0];
      store(image + at, end.template finish<Kind>(sums, [at](T const* addend) { return load(addend + at); }));
    } else {
      auto const values = end.template finish<Kind>(sums, [&](T const* addend) {
        vec<T> there{};
        for (std::size_t l = 0; l < width; ++l) there[l] = addend[first + write[l]];
        return there;
      });
      for (std::size_t l = 0; l < width; ++l) image[first + write[l]] = values[l];
    }
  }
};

/// Sources of single rows, and rows that fill whole vectors, are best read row by row; others with the samples next to each other.
template <class T>
[[nodiscard]] pixel_order order_for(sweep const& s, std::size_t samples) {
  return s.columns % lanes<T> == 0 || samples == 1 ? pixel_order::rows : pixel_order::samples;
}

/// The strips of a block.
template <class T>
[[nodiscard]] scratch<strip<T>> strips_of(patch_layout const& layout, image_view<T> const& destination) {
  auto const& s = layout.grid;
  scratch<strip<T>> strips;
  for (std::size_t run = 0; run < layout.runs(); ++run)
    for (std::size_t i = 0; i < layout.run_length(); i += lanes<T>) {
      strip<T> one{layout.run_offset(run) + i, std::min(lanes<T>, layout.run_length() - i), false, {}};
      one.contiguous = s.stride.w == 1 && layout.order == pixel_order::rows && one.width == lanes<T>;
      for (std::size_t l = 0; l < one.width; ++l) {
        auto const [n, r, c] = layout.pixel(run, i + l);
        one.write[l] = static_cast<std::uint32_t>((n * destination.h + s.row0 + r * s.stride.h) * destination.w + s.column0 +
                                                  c * s.stride.w);
      }
      strips.push_back(one);
    }
  return strips;
}

}  // namespace lnpt::cpu::detail
