#pragma once
/// The extents of images by name.
#include <cstddef>
#include <string>
#include <utility>

#include <lnpt/core/error.hpp>
#include <lnpt/core/shape.hpp>

namespace lnpt {

/// Whether logical extents are those of images, [C, N, H, W], and not of a feature matrix, [N, F].
[[nodiscard]] inline bool are_images(shape const& extents) { return extents.size() == 4; }

/// The extents of images as users give them, [N, C, H, W], for messages; of anything else as they are.
[[nodiscard]] inline std::string batch_text(shape extents) {
  if (are_images(extents)) std::swap(extents[0], extents[1]);
  return list(extents);
}

/// What `Backend::extents` says of image activations, by name: [C, N, H, W] in this order, whatever the storage is.
struct image_extents {
  std::size_t channels, samples, height, width;

  explicit image_extents(shape const& extents) {
    if (!are_images(extents)) fail("images have four extents, [C, N, H, W], not ", list(extents), ": pass an image activation");
    channels = extents[0], samples = extents[1], height = extents[2], width = extents[3];
  }

  /// How many values a channel has.
  [[nodiscard]] std::size_t per_channel() const { return samples * height * width; }
};

}  // namespace lnpt
