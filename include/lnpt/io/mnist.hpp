#pragma once
/// MNIST and its relatives: the IDX format. LeCun, Cortes, Burges, "The MNIST database of handwritten digits".
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/core/shape.hpp>
#include <lnpt/io/byte_source.hpp>
#include <lnpt/io/image_set.hpp>

namespace lnpt::io {

/// Bytes of any shape from an IDX file: big-endian magic 00 00 08 rank, then the extents, then the bytes.
struct idx_bytes {
  lnpt::shape shape;
  std::vector<std::uint8_t> values;
};

/// Reads an IDX file of unsigned bytes with `rank` axes.
[[nodiscard]] inline idx_bytes read_idx(byte_source const& file, std::size_t rank) {
  std::vector<std::uint8_t> head(4 * (rank + 1));
  if (file.size() < head.size())
    fail(file.name(), " has ", file.size(), " bytes: an IDX file of rank ", rank, " begins with ", head.size(),
         " bytes of header");
  file.read(0, std::as_writable_bytes(std::span(head)));
  auto const word = [&](std::size_t i) {
    return std::uint32_t{head[4 * i]} << 24 | std::uint32_t{head[4 * i + 1]} << 16 | std::uint32_t{head[4 * i + 2]} << 8 |
           std::uint32_t{head[4 * i + 3]};
  };
  auto const magic = 0x0800u + static_cast<std::uint32_t>(rank);
  if (word(0) != magic)
    fail(file.name(), ": the magic number at byte 0 is ", word(0), "; an IDX file of bytes and rank ", rank, " has ", magic,
         " (and is not compressed)");

  idx_bytes result;
  std::uint64_t const available = file.size() - head.size();
  for (std::size_t i = 0; i != rank; ++i) {
    result.shape.push_back(word(i + 1));
    if (result.shape.back() == 0)
      fail(file.name(), ": extent ", i, " at byte ", 4 * (i + 1), " is 0; an IDX file holds something");
  }
  std::uint64_t total = 1;
  for (auto const extent : result.shape) {
    if (total > available / extent)
      fail(file.name(), " has ", available, " bytes of data, fewer than the shape ", list(result.shape),
           " needs; the file must be complete");
    total *= extent;
  }
  if (total != available)
    fail(file.name(), ": the shape ", list(result.shape), " needs ", total, " bytes of data, not ", available,
         "; the file must end with its last item");
  result.values.resize(memory_size(total, file.name()));
  file.read(head.size(), std::as_writable_bytes(std::span(result.values)));
  return result;
}

/// The first `limit` images of one split from its two files, all of which is checked; `statistics`, if any, see all images.
[[nodiscard]] inline image_set read_mnist(byte_source const& images, byte_source const& labels, std::size_t limit,
                                          channel_statistics* statistics = nullptr) {
  constexpr std::size_t classes = 10;
  auto pixels = read_idx(images, 3);
  auto const ids = read_idx(labels, 1);
  auto const held = pixels.shape[0];
  if (ids.shape[0] != held)
    fail(labels.name(), " has ", ids.shape[0], " labels for the ", held, " images of ", images.name(),
         "; pass the two files of one split");
  for (std::size_t i = 0; i != held; ++i)
    if (ids.values[i] >= classes)
      fail(labels.name(), ": the label at byte ", 8 + i, " is ", +ids.values[i], "; MNIST labels are below ", classes);

  image_set set{.channels = 1, .height = pixels.shape[1], .width = pixels.shape[2], .classes = classes};
  auto const area = set.image_size();
  if (statistics != nullptr)
    for (std::size_t i = 0; i != held; ++i) statistics->add(std::span(pixels.values).subspan(i * area, area));
  auto const kept = std::min(limit, held);
  pixels.values.resize(kept * area);
  set.pixels = std::move(pixels.values);
  set.labels.assign(ids.values.begin(), ids.values.begin() + static_cast<std::ptrdiff_t>(kept));
  return set;
}

namespace detail {
/// The file of a split, under either of the names that it goes by: train-images-idx3-ubyte or train-images.idx3-ubyte.
[[nodiscard]] inline byte_source open_idx(std::filesystem::path const& folder, std::string const& split,
                                          std::string const& kind) {
  for (auto const separator : {'-', '.'}) {
    auto path = folder / split;
    path += separator;
    path += kind;
    if (std::filesystem::exists(path)) return byte_source::open(path);
    auto packed = path;
    packed += ".gz";
    if (std::filesystem::exists(packed)) fail(packed.string(), " is compressed: unpack it with gunzip");
  }
  return byte_source::open(folder / (split + '-' + kind));  // which is refused, by name
}
}  // namespace detail

/// The folder with {train,t10k}-images-idx3-ubyte and {train,t10k}-labels-idx1-ubyte, unpacked; a dot may stand before idx.
[[nodiscard]] inline data_set mnist(std::filesystem::path const& folder, data_set_options const& options = {}) {
  auto const read = [&](std::string const& split, std::size_t limit, channel_statistics* seen) {
    auto const images = detail::open_idx(folder, split + "-images", "idx3-ubyte");
    return read_mnist(images, detail::open_idx(folder, split + "-labels", "idx1-ubyte"), limit, seen);
  };
  channel_statistics statistics(1);
  data_set set;
  set.name = "MNIST";
  set.train = read("train", options.train_limit, &statistics);
  set.test = read("t10k", options.test_limit, nullptr);
  if (set.train.height != set.test.height || set.train.width != set.test.width)
    fail(folder.string(), ": training images are ", set.train.height, "×", set.train.width, " but test images ", set.test.height,
         "×", set.test.width, "; both must agree");
  statistics.give_to(set);
  return set;
}

}  // namespace lnpt::io
