#pragma once
/// From images of bytes to batches of tensors.
#include <algorithm>
#include <cstdint>
#include <iterator>
#include <numeric>
#include <span>
#include <tbb/parallel_for.h>
#include <utility>
#include <vector>

#include <lnpt/backend/cpu/array.hpp>
#include <lnpt/core/batch.hpp>
#include <lnpt/core/error.hpp>
#include <lnpt/core/random.hpp>
#include <lnpt/train/augmentation.hpp>

namespace lnpt {

/// Images with class ids, of which label-free training reads none.
template <class Images>
concept labelled_images = image_source<Images> && requires(Images const& images, std::size_t i) {
  { images.size() } -> std::convertible_to<std::size_t>;
  { images.labels[i] } -> std::convertible_to<std::int64_t>;
};

/// Which images a batch holds, and how each was augmented.
struct batch_plan {
  std::vector<std::size_t> images;
  std::vector<augmentation> how;  ///< empty: as they are
};

/// Writes the planned images, augmented and normalised, to `out`: [B, C, H, W].
template <image_source Images>
void write_images(Images const& images, batch_plan const& plan, std::span<float> out) {
  auto const size = images.channels * images.height * images.width;
  tbb::parallel_for(std::size_t{0}, plan.images.size(), [&](std::size_t b) {
    apply(plan.how.empty() ? no_augmentation() : plan.how[b], images, plan.images[b], out.subspan(b * size, size));
  });
}

/// The same as an array.
template <class T = float, image_source Images>
[[nodiscard]] cpu::array<T> gather_images(Images const& images, batch_plan const& plan) {
  auto written = cpu::uninitialized<float>({plan.images.size(), images.channels, images.height, images.width});
  write_images(images, plan, std::span(written.data(), written.size()));
  if constexpr (std::same_as<T, float>)
    return written;
  else
    return cpu::array<T>(xt::cast<T>(written));
}

namespace detail {

/// Refuses images of which not every one has a label.
template <labelled_images Images>
void require_labels(Images const& images) {
  if constexpr (requires { std::size(images.labels); })
    if (auto const known = std::size(images.labels); known < images.size())
      fail(known, " of ", images.size(), " images have a label: give one for each, or ask for what reads none");
}

}  // namespace detail

/// The class ids of these images. Refuses images without labels.
template <labelled_images Images>
[[nodiscard]] std::vector<std::int64_t> gather_labels(Images const& images, std::span<std::size_t const> indices) {
  detail::require_labels(images);
  std::vector<std::int64_t> labels;
  for (auto const i : indices) labels.push_back(images.labels[i]);
  return labels;
}

/// 0 … n−1 in an order that is a function of (seed, stream).
[[nodiscard]] inline std::vector<std::size_t> shuffled(std::size_t n, std::uint64_t seed, std::uint64_t stream) {
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  for (std::size_t i = n; i > 1; --i)
    std::swap(order[i - 1], order[random_below(static_cast<std::uint32_t>(i), random_bits(seed, stream, i))]);
  return order;
}

namespace detail {

/// `make(part)` of each at most `size` indices in turn.
template <class Make>
[[nodiscard]] auto in_parts(std::span<std::size_t const> indices, std::size_t size, Make make) {
  if (size == 0) fail("images cannot be taken in batches of 0: ask for 1 or more in each");
  std::vector<decltype(make(indices))> parts;
  for (std::size_t begin = 0; begin < indices.size(); begin += size)
    parts.push_back(make(indices.subspan(begin, std::min(size, indices.size() - begin))));
  return parts;
}

}  // namespace detail

/// `indices` in batches of at most `size`, normalised and not augmented: what scoring and evaluation read.
template <class T = float, image_source Images>
[[nodiscard]] std::vector<unlabelled_batch<cpu::array<T>>> plain_batches(Images const& images,
                                                                         std::span<std::size_t const> indices, std::size_t size) {
  return detail::in_parts(indices, size, [&](std::span<std::size_t const> part) {
    return unlabelled_batch<cpu::array<T>>{gather_images<T>(images, {{part.begin(), part.end()}, {}})};
  });
}

/// The same with the images' class ids, for criteria and losses that read labels.
template <class T = float, labelled_images Images>
[[nodiscard]] std::vector<labelled_batch<cpu::array<T>>> labelled_batches(Images const& images,
                                                                          std::span<std::size_t const> indices,
                                                                          std::size_t size) {
  return detail::in_parts(indices, size, [&](std::span<std::size_t const> part) {
    return labelled_batch<cpu::array<T>>{gather_images<T>(images, {{part.begin(), part.end()}, {}}), gather_labels(images, part)};
  });
}

}  // namespace lnpt
