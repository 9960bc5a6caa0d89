#pragma once
/// Images of bytes from a safetensors file, as a data set.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/io/image_set.hpp>
#include <lnpt/io/in_quotes.hpp>
#include <lnpt/io/safetensors.hpp>

namespace lnpt::io {

namespace detail {

/// The class of each of so many images.
[[nodiscard]] inline std::vector<std::int64_t> read_labels(safetensors::file const& file, std::string const& name,
                                                           std::uint64_t images) {
  auto labels = file.read<std::int64_t>(name);
  if (labels.size() != images) fail(file.name(), " holds ", labels.size(), " labels for ", images, " images; give one for each");
  for (std::size_t i = 0; i != labels.size(); ++i)
    if (labels[i] < 0 || labels[i] >= std::int64_t{1} << 20)
      fail(file.name(), ": label ", i, " is ", labels[i], "; labels count classes from 0");
  return labels;
}

/// The split whose tensors have these names, without labels where the file holds none; `statistics` see all of it.
[[nodiscard]] inline image_set read_tensor_images(safetensors::file const& file, std::string const& input,
                                                  std::string const& labels, std::size_t limit, channel_statistics* statistics) {
  auto const& about = file.info(input);
  if (about.shape.size() != 4 || about.dtype != dtype::u8)
    fail(file.name(), ": ", in_quotes(input), " is ", name_of(about.dtype), ' ', list(about.shape),
         ": images to train on are bytes, U8 [samples, channels, height, width]");
  image_set set{.channels = about.shape[1], .height = about.shape[2], .width = about.shape[3]};
  set.pixels = file.read<std::uint8_t>(input);
  if (file.contains(labels)) set.labels = read_labels(file, labels, about.shape[0]);
  for (std::size_t i = 0; statistics != nullptr && i != set.size(); ++i) statistics->add(set.image(i));
  for (auto const label : set.labels) set.classes = std::max(set.classes, static_cast<std::size_t>(label) + 1);
  auto const kept = std::min(limit, set.size());
  set.labels.resize(std::min(kept, set.labels.size()));
  set.pixels.resize(kept * set.image_size());
  return set;
}

[[nodiscard]] inline shape extents_of(image_set const& images) { return {images.channels, images.height, images.width}; }

}  // namespace detail

/// The images `input` U8 [N, C, H, W] with `labels` [N] for training and, for testing, `test_input` with `test_labels`, or the
/// training images where the file holds no others. Classes count from 0 to the largest label. A split without its labels is one of
/// images alone, and `classes` is 0 where neither has any.
[[nodiscard]] inline data_set tensor_images(safetensors::file const& file, data_set_options const& options = {}) {
  auto const& extents = file.info("input").shape;
  channel_statistics statistics(extents.size() == 4 ? std::max<std::size_t>(extents[1], 1) : 1);
  data_set set;
  set.name = file.name();
  set.train = detail::read_tensor_images(file, "input", "labels", options.train_limit, &statistics);
  if (file.contains("test_labels") && !file.contains("test_input"))
    fail(file.name(), " has test_labels and no test_input: give the images that they are of");
  set.test = file.contains("test_input")
                 ? detail::read_tensor_images(file, "test_input", "test_labels", options.test_limit, nullptr)
                 : detail::read_tensor_images(file, "input", "labels", options.test_limit, nullptr);
  if (set.train.size() == 0 || set.train.image_size() == 0) fail(file.name(), " holds no images: give at least one with pixels");
  if (detail::extents_of(set.test) != detail::extents_of(set.train))
    fail(file.name(), ": training images are ", list(detail::extents_of(set.train)), " but test images ",
         list(detail::extents_of(set.test)), "; both must agree");
  set.train.classes = set.test.classes = std::max(set.train.classes, set.test.classes);
  statistics.give_to(set);
  return set;
}

}  // namespace lnpt::io
