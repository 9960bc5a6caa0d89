#pragma once
/// Which images to score on.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/train/batches.hpp>

namespace lnpt {

/// Image indices for scoring, and how many of each class were found where classes were asked for.
struct scoring_sample {
  std::vector<std::size_t> indices;
  std::vector<std::size_t> found_per_class;
};

namespace detail {

/// The first `per_class` images of each class in a seeded order.
[[nodiscard]] inline scoring_sample sample_of_classes(std::span<std::int64_t const> classes_of_images, std::size_t classes,
                                                      std::size_t per_class, std::uint64_t seed) {
  scoring_sample result{{}, std::vector<std::size_t>(classes)};
  for (auto const i : shuffled(classes_of_images.size(), seed, 0)) {
    auto const each = classes_of_images[i];
    if (each < 0 || static_cast<std::uint64_t>(each) >= classes)
      fail("image ", i, " is of class ", each, ", and a sample of ", classes,
           " classes was asked for: ask for as many as there are");
    auto& found = result.found_per_class[static_cast<std::size_t>(each)];
    if (found == per_class) continue;
    ++found;
    result.indices.push_back(i);
  }
  return result;
}

}  // namespace detail

/// `per_class` images of every label: how the published tables were made. Reads labels.
template <labelled_images Images>
[[nodiscard]] scoring_sample sample_by_label(Images const& images, std::size_t classes, std::size_t per_class,
                                             std::uint64_t seed) {
  detail::require_labels(images);
  std::vector<std::int64_t> const labels(images.labels.begin(), images.labels.end());
  return detail::sample_of_classes(labels, classes, per_class, seed);
}

/// `per_class` images of every class as the teacher sees them, fewer where it predicts a class less often. Reads no label.
/// `decisions` holds the teacher's class of every image.
[[nodiscard]] inline scoring_sample sample_by_pseudo_label(std::span<std::int64_t const> decisions, std::size_t classes,
                                                           std::size_t per_class, std::uint64_t seed) {
  return detail::sample_of_classes(decisions, classes, per_class, seed);
}

/// `count` images, whatever they show.
[[nodiscard]] inline scoring_sample sample_at_random(std::size_t images, std::size_t count, std::uint64_t seed) {
  auto order = shuffled(images, seed, 0);
  order.resize(std::min(count, images));
  return {std::move(order), {}};
}

}  // namespace lnpt
