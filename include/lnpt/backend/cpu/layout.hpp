#pragma once
/// How image activations lie in memory, and the copies that only move them.
///
/// Inside the engine an image is [C, N, H, W]: channel slowest, then sample. A convolution then writes its result straight into place,
/// and whatever works per channel runs over contiguous memory. Outside, images are PyTorch's [N, C, H, W].
#include <algorithm>
#include <span>

#include <lnpt/backend/cpu/array.hpp>
#include <lnpt/backend/cpu/parallel.hpp>
#include <lnpt/backend/image_extents.hpp>
#include <lnpt/core/error.hpp>

namespace lnpt::cpu {

namespace detail {

template <class T>
[[nodiscard]] shape extents_of(array<T> const& x) {
  return {x.shape().begin(), x.shape().end()};
}

inline void require_rank_4(char const* what, auto const& extents) {
  if (extents.size() != 4)
    fail(what, ": an image of shape ", list(extents),
         "; pass one of rank 4: a batch [N, C, H, W], or {C, H, W} where the shape of one input is asked for");
}

/// Copies an [A, B, run] block to [B, A, run].
template <class T>
void swap_outer(T const* from, T* to, std::size_t a, std::size_t b, std::size_t run) {
  for_chunks(a * b, std::max<std::size_t>(1, streaming_grain / std::max<std::size_t>(1, run)),
             [&](std::size_t begin, std::size_t end) {
               for (auto i = begin; i != end; ++i) std::copy_n(from + ((i % a) * b + i / a) * run, run, to + i * run);
             });
}

}  // namespace detail

/// [N, C, H, W] → [C, N, H, W]; a sequence [N, C, L] is an image of one row.
template <class T>
[[nodiscard]] array<T> to_channel_major(array<T> const& nchw) {
  auto s = detail::extents_of(nchw);
  if (s.size() == 3) s.insert(s.begin() + 2, 1);
  detail::require_rank_4("to_channel_major", s);
  auto result = uninitialized<T>({s[1], s[0], s[2], s[3]});
  detail::swap_outer(nchw.data(), result.data(), s[0], s[1], s[2] * s[3]);
  return result;
}

/// [C, N, H, W] → [N, C·H·W], a sample's features in PyTorch's order.
template <class T>
[[nodiscard]] array<T> flatten(array<T> const& cnhw) {
  detail::require_rank_4("flatten", cnhw.shape());
  auto const s = cnhw.shape();
  auto result = uninitialized<T>({s[1], s[0] * s[2] * s[3]});
  detail::swap_outer(cnhw.data(), result.data(), s[0], s[1], s[2] * s[3]);
  return result;
}

/// [N, C·H·W] → [C, N, H, W]: the adjoint of `flatten`, and its inverse.
template <class T>
[[nodiscard]] array<T> unflatten(array<T> const& features, shape const& cnhw) {
  detail::require_rank_4("unflatten", cnhw);
  if (features.size() != element_count(cnhw))
    fail("unflatten: features of shape ", list(features.shape()), " do not fill ", list(cnhw),
         "; pass as many values as the image holds");
  auto result = uninitialized<T>(cnhw);
  detail::swap_outer(features.data(), result.data(), cnhw[1], cnhw[0], cnhw[2] * cnhw[3]);
  return result;
}

namespace detail {
template <class T>
void copy_in_chunks(T const* from, std::size_t n, T* to) {
  for_chunks(n, streaming_grain, [&](std::size_t begin, std::size_t end) { std::copy(from + begin, from + end, to + begin); });
}
}  // namespace detail

/// The images above each other along the channels.
template <class T>
[[nodiscard]] array<T> concat_channels(std::span<array<T> const* const> images) {
  if (images.empty()) fail("concat_channels: no image; pass at least one");
  auto const& first = images.front()->shape();
  shape extents(first.begin(), first.end());
  extents[0] = 0;
  for (auto const* image : images) {
    detail::require_rank_4("concat_channels", image->shape());
    if (!std::equal(extents.begin() + 1, extents.end(), image->shape().begin() + 1))
      fail("concat_channels: images of shapes ", batch_text({first.begin(), first.end()}), " and ",
           batch_text(detail::extents_of(*image)), " differ in more than the channels; pass images of one size");
    extents[0] += image->shape()[0];
  }
  auto result = uninitialized<T>(extents);
  auto* to = result.data();
  for (auto const* image : images) {
    detail::copy_in_chunks(image->data(), image->size(), to);
    to += image->size();
  }
  return result;
}

/// The channels `begin` to `end`.
template <class T>
[[nodiscard]] array<T> slice_channels(array<T> const& x, std::size_t begin, std::size_t end) {
  detail::require_rank_4("slice_channels", x.shape());
  if (begin > end || end > x.shape()[0])
    fail("slice_channels: channels [", begin, ", ", end, ") of an image of shape ", list(x.shape()),
         "; pass a range within its first extent");
  shape extents(x.shape().begin(), x.shape().end());
  auto const stride = extents[1] * extents[2] * extents[3];
  extents[0] = end - begin;
  auto result = uninitialized<T>(extents);
  detail::copy_in_chunks(x.data() + begin * stride, result.size(), result.data());
  return result;
}

namespace detail {

/// Walks the elements that `subsample_pad` keeps, as (index in the large image, index in the small one).
template <class F>
void for_each_subsampled(shape const& in, shape const& out, std::size_t stride, std::size_t before, F f) {
  require_rank_4("subsample_pad", in);
  require_rank_4("subsample_pad", out);
  if (out[0] < before + in[0] || out[1] != in[1] || stride == 0 || out[2] != (in[2] + stride - 1) / stride ||
      out[3] != (in[3] + stride - 1) / stride)
    fail("subsample_pad: ", list(in), " to ", list(out), " with stride ", stride, " behind ", before,
         " channels of zeros; pass at least as many channels and the extents divided by the stride, rounded up");
  for_each_task(in[0], [&](std::size_t c) {
    for (std::size_t n = 0; n < in[1]; ++n)
      for (std::size_t h = 0; h < out[2]; ++h) {
        auto const large = ((c * in[1] + n) * in[2] + h * stride) * in[3];
        auto const small = (((c + before) * out[1] + n) * out[2] + h) * out[3];
        for (std::size_t w = 0; w < out[3]; ++w) f(large + w * stride, small + w);
      }
  });
}

}  // namespace detail

/// The parameter-free shortcut of residual networks ("option A": He et al., CVPR 2016): every `stride`-th pixel, and zero channels
/// before and after.
template <class T>
[[nodiscard]] array<T> subsample_pad(array<T> const& x, std::size_t stride, shape const& out_shape, std::size_t before) {
  auto result = filled<T>(out_shape, T{0});
  detail::for_each_subsampled(
      detail::extents_of(x), out_shape, stride, before,
      [from = x.data(), to = result.data()](std::size_t large, std::size_t small) { to[small] = from[large]; });
  return result;
}

/// The adjoint of `subsample_pad`.
template <class T>
[[nodiscard]] array<T> subsample_pad_adjoint(array<T> const& gy, std::size_t stride, shape const& in_shape, std::size_t before) {
  auto result = filled<T>(in_shape, T{0});
  detail::for_each_subsampled(
      in_shape, detail::extents_of(gy), stride, before,
      [from = gy.data(), to = result.data()](std::size_t large, std::size_t small) { to[large] = from[small]; });
  return result;
}

}  // namespace lnpt::cpu
