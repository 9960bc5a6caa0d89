#pragma once
/// The kernel that makes a batch of images of bytes.

namespace lnpt::cudnn::detail {

/// Which image, where its crop begins in the padded one, and whether it is mirrored; as the kernel has it.
struct image_view {
  unsigned image;
  unsigned char dy, dx, flip, unused;
};
inline constexpr unsigned most_views = 256;  ///< of one launch
struct image_views {
  image_view at[most_views];
};

inline constexpr char image_kernels[] = R"cuda(
struct image_view { unsigned image; unsigned char dy, dx, flip, unused; };
struct image_views { image_view at[256]; };

// out[b, c, y, x] = (padded[c, y + dy, x' + dx]/255 − mean[c])/stddev[c] with x' mirrored if asked, as scale[c]·byte + shift[c].
__global__ void crop_flip_normalise(image_views const __grid_constant__ views, unsigned char const* bytes, float const* scale, float const* shift, float* out, unsigned channels, unsigned height, unsigned width, unsigned padding, unsigned n) {
  ONE_THREAD_PER_ELEMENT;
  unsigned const x = i % width, y = i / width % height, c = i / (width * height) % channels;
  image_view const& view = views.at[i / (width * height * channels)];
  unsigned const from_x = (view.flip ? width - 1 - x : x) + view.dx - padding, from_y = y + view.dy - padding;
  bool const is_inside = from_x < width && from_y < height;  // what is left of 0 wraps around
  unsigned long long const at = (((unsigned long long)view.image * channels + c) * height + from_y) * width + from_x;
  out[i] = is_inside ? (float)bytes[at] * scale[c] + shift[c] : shift[c];
}
)cuda";

}  // namespace lnpt::cudnn::detail
