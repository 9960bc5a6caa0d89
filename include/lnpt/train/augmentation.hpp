#pragma once
/// Random crop with zero padding and horizontal flip, drawn by counter so that a teacher far away sees the same views.
#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

#include <lnpt/core/error.hpp>
#include <lnpt/core/random.hpp>

namespace lnpt {

/// What every data set we train on uses: the crop is taken from the image with this many zero pixels on each side.
inline constexpr std::size_t default_padding = 4;

/// Where the crop begins in the padded image, and whether it is mirrored afterwards.
struct augmentation {
  std::uint8_t dy = default_padding;
  std::uint8_t dx = default_padding;
  bool flip = false;

  friend bool operator==(augmentation const&, augmentation const&) = default;
};

/// The augmentation of this image in this view (an epoch, or an index into a teacher cache); the same bits everywhere.
[[nodiscard]] constexpr augmentation draw_augmentation(std::uint64_t seed, std::uint64_t image, std::uint64_t view,
                                                       std::size_t padding = default_padding) {
  auto const offsets = static_cast<std::uint32_t>(2 * padding + 1);
  auto const draw = [&](std::uint64_t what) { return random_bits(seed, image, view, what); };
  return {.dy = static_cast<std::uint8_t>(random_below(offsets, draw(0))),
          .dx = static_cast<std::uint8_t>(random_below(offsets, draw(1))),
          .flip = (draw(2) >> 63) != 0};
}

/// The augmentation that changes nothing.
[[nodiscard]] constexpr augmentation no_augmentation(std::size_t padding = default_padding) {
  return {static_cast<std::uint8_t>(padding), static_cast<std::uint8_t>(padding), false};
}

/// Refuses a crop that leaves the padded image.
inline void require_inside(augmentation const& how, std::size_t padding) {
  if (how.dy > 2 * padding || how.dx > 2 * padding)
    fail("augmentation {dy ", +how.dy, ", dx ", +how.dx, "} leaves the padded image: offsets go from 0 to ", 2 * padding);
}

/// Images of bytes with the statistics that normalise them; `io::image_set` is one.
template <class Images>
concept image_source = requires(Images const& images, std::size_t i) {
  { images.channels } -> std::convertible_to<std::size_t>;
  { images.height } -> std::convertible_to<std::size_t>;
  { images.width } -> std::convertible_to<std::size_t>;
  { images.mean[i] } -> std::convertible_to<float>;
  { images.stddev[i] } -> std::convertible_to<float>;
  { images.image(i) } -> std::convertible_to<std::span<std::uint8_t const>>;
};

/// Writes image `index`, cropped, flipped and normalised, to `out`: channels × height × width floats.
///
///     out[c, y, x] = (padded[c, y + dy, x' + dx] / 255 − mean[c]) / stddev[c],   x' = flip ? width − 1 − x : x
///
/// The padding is zero in *pixels* (black, then normalised), as torchvision's RandomCrop before ToTensor and Normalize.
template <image_source Images>
void apply(augmentation const& how, Images const& images, std::size_t index, std::span<float> out,
           std::size_t padding = default_padding) {
  std::size_t const channels = images.channels;
  std::size_t const height = images.height;
  std::size_t const width = images.width;
  require_inside(how, padding);
  if (out.size() != channels * height * width)
    fail("an augmented image holds ", channels * height * width, " floats, not ", out.size(),
         ": pass a span of channels × height × width");
  std::span<std::uint8_t const> const pixels = images.image(index);

  // The columns of the crop that lie inside the image, before mirroring.
  auto const first = std::min(width, padding - std::min<std::size_t>(padding, how.dx));
  auto const last = std::max(first, std::min(width, width + padding - std::min<std::size_t>(width + padding, how.dx)));
  for (std::size_t c = 0; c != channels; ++c) {
    auto const scale = 1.0f / (255.0f * images.stddev[c]);
    auto const shift = -images.mean[c] / images.stddev[c];
    for (std::size_t y = 0; y != height; ++y) {
      auto const row = out.subspan((c * height + y) * width, width);
      std::ranges::fill(row, shift);
      auto const source_y = y + how.dy;
      if (source_y < padding || source_y >= height + padding) continue;
      auto const* const source = pixels.data() + (c * height + (source_y - padding)) * width;
      for (auto x = first; x < last; ++x) row[x] = static_cast<float>(source[x + how.dx - padding]) * scale + shift;
      if (how.flip) std::ranges::reverse(row);
    }
  }
}

/// Writes image `index`, normalised only, to `out`: what evaluation reads.
template <image_source Images>
void normalise(Images const& images, std::size_t index, std::span<float> out) {
  apply(no_augmentation(0), images, index, out, 0);
}

}  // namespace lnpt
