#pragma once
/// Copies that only move values: batches and features, parts of images, channels in another order, pixels repeated.
#include <vector>

#include <lnpt/backend/cudnn/elementwise.hpp>
#include <lnpt/backend/region_view.hpp>
#include <lnpt/core/window.hpp>

namespace lnpt::cudnn {

/// A caller's batch [N, C, H, W] or [N, C, L] as images: it is stored as they are. Feature matrices stay as they are.
template <class T>
[[nodiscard]] array<T> from_batch(array<T> const& x) {
  auto e = x.extents();
  if (e.size() <= 2) return x;
  if (e.size() == 3) e.insert(e.begin() + 2, 1);
  detail::require_images("from_batch", e);
  return x.seen_as({e[1], e[0], e[2], e[3]}, storage::images);
}

/// [C, N, H, W] → [N, C·H·W], a sample's features in PyTorch's order: that of the storage.
template <class T>
[[nodiscard]] array<T> flatten(array<T> const& x) {
  detail::require_images("flatten", x.extents());
  auto const& e = x.extents();
  return detail::as_images(x).seen_as({e[1], e[0] * e[2] * e[3]}, storage::as_extents);
}
/// The inverse of `flatten`.
template <class T>
[[nodiscard]] array<T> unflatten(array<T> const& features, shape const& images) {
  detail::require_images("unflatten", images);
  if (features.size() != element_count(images))
    fail("unflatten: features of shape ", list(features.extents()), " do not fill ", list(images),
         "; pass as many values as the image holds");
  return features.seen_as(images, storage::images);
}

namespace detail {

/// A region of an array as it is stored, and walks over it.
struct region_view : lnpt::detail::region_view {
  region_view(shape const& whole, image_region const& region)
      : lnpt::detail::region_view(whole, strides_of(whole, whole.size() == 4 ? storage::images : storage::as_extents), region) {}

  [[nodiscard]] storage how() const { return extents.size() == 4 ? storage::images : storage::as_extents; }
  /// A walk from the region inside of the whole to an array of its own, or back.
  [[nodiscard]] std::vector<axis> axes(bool into_whole) const {
    auto const own = strides_of(extents, how());
    std::vector<axis> result;
    for (std::size_t i = 0; i < extents.size(); ++i)
      result.push_back(into_whole ? axis{extents[i], own[i], 0, strides[i]} : axis{extents[i], strides[i], 0, own[i]});
    return result;
  }
};

}  // namespace detail

/// A region of x.
template <class T>
[[nodiscard]] array<T> slice(array<T> const& x, image_region const& region) {
  detail::region_view const part(x.extents(), region);
  array<T> y(part.extents, part.how());
  auto const whole = detail::as_images(x);
  detail::spread<T>(part.axes(false), whole.data() + part.begin, y.written());
  return y;
}

/// Zeros with x in a region: the adjoint of `slice`.
template <class T>
[[nodiscard]] array<T> unslice(array<T> const& x, image_region const& region, shape const& whole) {
  detail::region_view const part(whole, region);
  if (part.extents != x.extents())
    fail("unslice: an array of shape ", list(x.extents()), " for a region of shape ", list(part.extents),
         "; pass one of that shape");
  auto y = filled<T>(whole, T{0}).seen_as(whole, part.how());
  auto const own = detail::as_images(x);
  detail::spread<T>(part.axes(true), own.data(), y.written() + part.begin);
  return y;
}

/// The images above each other along the channels.
template <class T>
[[nodiscard]] array<T> concat_channels(std::vector<array<T> const*> const& images) {
  if (images.empty()) fail("concat: no image; pass at least one");
  auto extents = images.front()->extents();
  detail::require_images("concat", extents);
  extents[0] = 0;
  for (auto const* image : images) {
    auto const& e = image->extents();
    detail::require_images("concat", e);
    if (!std::equal(extents.begin() + 1, extents.end(), e.begin() + 1))
      fail("concat: shapes ", list(images.front()->extents()), " and ", list(e),
           " differ in more than the channels; pass images of one size");
    extents[0] += e[0];
  }
  array<T> y(extents, storage::images);
  auto* const to = y.written();
  auto const area = extents[2] * extents[3];
  std::size_t first = 0;
  for (auto const* image : images) {
    auto const run = image->extents()[0] * area;  // of a sample's channels, which lie together
    auto const from = detail::as_images(*image);
    detail::spread<T>({{extents[1], run, 0, extents[0] * area}, {run, 1, 0, 1}}, from.data(), to + first);
    first += run;
  }
  return y;
}

template <class T>
[[nodiscard]] array<T> slice_channels(array<T> const& x, std::size_t begin, std::size_t end) {
  detail::require_images("slice_channels", x.extents());
  if (begin > end || end > x.extents()[0])
    fail("slice_channels: channels [", begin, ", ", end, ") of an image of shape ", list(x.extents()),
         "; pass a range within its first extent");
  if (begin == end) return array<T>({0, x.extents()[1], x.extents()[2], x.extents()[3]}, storage::images);
  return slice(x, {{begin, end, 1}, {}, {}});
}

/// Channel a·C/groups + b becomes channel b·groups + a.
template <class T>
[[nodiscard]] array<T> channel_shuffle(array<T> const& x, std::size_t groups) {
  auto const& e = x.extents();
  detail::require_images("channel_shuffle", e);
  if (groups == 0 || e[0] % groups != 0)
    fail("channel_shuffle: ", groups, " groups of ", e[0], " channels; pass a number that divides them");
  auto const columns = e[0] / groups;
  auto const area = e[2] * e[3];
  array<T> y(e, storage::images);
  auto const from = detail::as_images(x);
  detail::spread<T>({{e[1], e[0] * area, 0, e[0] * area},
                     {columns, area, 0, groups * area},
                     {groups, columns * area, 0, area},
                     {area, 1, 0, 1}},
                    from.data(), y.written());
  return y;
}

namespace detail {

/// The pixels of planes and their copies, `large` of the stretched image and `small` of the other.
[[nodiscard]] inline std::vector<axis> copies_of_pixels(std::size_t planes, std::size_t h, std::size_t w, per_axis f,
                                                        bool adjoint) {
  auto const wide = w * f.w;
  std::vector<axis> axes{
      {planes, h * w, 0, h * f.h * wide}, {h, w, 0, f.h * wide}, {f.h, 0, 0, wide}, {w, 1, 0, f.w}, {f.w, 0, 0, 1}};
  if (adjoint)
    for (auto& a : axes) std::swap(a.x, a.out);
  return axes;
}

}  // namespace detail

/// Every pixel `factor` times in each direction.
template <class T>
[[nodiscard]] array<T> upsample_nearest(array<T> const& x, per_axis factor) {
  auto const& e = x.extents();
  detail::require_images("upsample_nearest", e);
  if (factor.h == 0 || factor.w == 0) fail("upsample_nearest: by ", factor, "; pass factors of at least 1");
  array<T> y({e[0], e[1], e[2] * factor.h, e[3] * factor.w}, storage::images);
  auto const from = detail::as_images(x);
  detail::spread<T>(detail::copies_of_pixels(e[0] * e[1], e[2], e[3], factor, false), from.data(), y.written());
  return y;
}

/// The adjoint of `upsample_nearest`: the sums over the copies of each pixel.
template <class T>
[[nodiscard]] array<T> upsample_nearest_adjoint(array<T> const& gy, per_axis factor) {
  auto const& e = gy.extents();
  detail::require_images("upsample_nearest_adjoint", e);
  array<T> gx({e[0], e[1], e[2] / factor.h, e[3] / factor.w}, storage::images);
  auto const axes = detail::copies_of_pixels(e[0] * e[1], e[2] / factor.h, e[3] / factor.w, factor, true);
  auto const from = detail::as_images(gy);
  detail::sum_products<T>({axes[0], axes[1], axes[3]}, {axes[2], axes[4]}, from.data(), nullptr, gx.written(), 1, false);
  return gx;
}

namespace detail {

/// The region of the padded image's shape that `subsample_pad` fills, and the pixels of the large image that it takes.
struct subsampling {
  image_region kept, filled;
  shape out;

  subsampling(shape const& in, std::size_t stride, std::size_t channels, std::size_t before) {
    require_images("subsample_pad", in);
    if (stride == 0 || channels < before + in[0])
      fail("subsample_pad: ", list(in), " to ", channels, " channels with stride ", stride, " behind ", before,
           " channels of zeros; pass at least as many channels, and a stride of at least 1");
    out = {channels, in[1], (in[2] + stride - 1) / stride, (in[3] + stride - 1) / stride};
    index_range const pixels{0, index_range::to_the_end, stride};
    kept = {{}, pixels, pixels};
    filled = {{before, before + in[0], 1}, {}, {}};
  }
};

}  // namespace detail

/// Every `stride`-th pixel between zero channels.
template <class T>
[[nodiscard]] array<T> subsample_pad(array<T> const& x, std::size_t stride, std::size_t channels, std::size_t before) {
  detail::subsampling const s(x.extents(), stride, channels, before);
  return unslice(slice(x, s.kept), s.filled, s.out);
}
template <class T>
[[nodiscard]] array<T> subsample_pad_adjoint(array<T> const& gy, std::size_t stride, shape const& x_shape, std::size_t before) {
  detail::require_images("subsample_pad_adjoint", gy.extents());
  detail::subsampling const s(x_shape, stride, gy.extents()[0], before);
  return unslice(slice(gy, s.filled), s.kept, x_shape);
}

}  // namespace lnpt::cudnn
