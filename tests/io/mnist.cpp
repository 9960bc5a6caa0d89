/// IDX files, whole and broken.
#include <doctest/doctest.h>

#include <lnpt/io/mnist.hpp>

#include "support.hpp"

namespace io = lnpt::io;
using support::bytes;
using support::refusal;
using support::says;

namespace {

bytes idx(std::uint32_t magic, std::initializer_list<std::uint32_t> extents, bytes const& data) {
  bytes result;
  auto const put = [&](std::uint32_t word) {
    for (int shift = 24; shift >= 0; shift -= 8) result.push_back(static_cast<std::uint8_t>(word >> shift));
  };
  put(magic);
  for (auto const extent : extents) put(extent);
  result.insert(result.end(), data.begin(), data.end());
  return result;
}

io::byte_source source(bytes const& content, char const* name) {
  return io::byte_source::view(std::as_bytes(std::span(content)), name);
}

std::string read(bytes const& content, std::size_t rank = 3) {
  return refusal([&] { (void)io::read_idx(source(content, "f"), rank); });
}

std::string read_pair(bytes const& images, bytes const& labels) {
  return refusal([&] { (void)io::read_mnist(source(images, "i"), source(labels, "l"), 100); });
}

}  // namespace

TEST_CASE("MNIST reads its four files") {
  support::temporary_folder const folder;
  folder.write("train-images-idx3-ubyte", idx(2051, {3, 2, 2}, {0, 0, 0, 0, 10, 10, 10, 10, 20, 20, 20, 20}));
  folder.write("train-labels-idx1-ubyte", idx(2049, {3}, {4, 0, 9}));
  folder.write("t10k-images-idx3-ubyte", idx(2051, {2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8}));
  folder.write("t10k-labels-idx1-ubyte", idx(2049, {2}, {7, 2}));
  auto const set = io::mnist(folder.path(), {.train_limit = 2});
  CHECK(set.train.labels == std::vector<std::int64_t>{4, 0});
  CHECK(set.train.pixels == bytes{0, 0, 0, 0, 10, 10, 10, 10});
  CHECK(set.test.labels == std::vector<std::int64_t>{7, 2});
  CHECK(set.test.image(1)[0] == 5);
  CHECK(set.train.channels == 1);
  CHECK(set.train.mean.at(0) == doctest::Approx(10.0 / 255));  // of all three images
  CHECK(set.test.mean == set.train.mean);

  folder.write("t10k-images-idx3-ubyte", idx(2051, {2, 1, 2}, {1, 2, 3, 4}));
  CHECK(says(refusal([&] { (void)io::mnist(folder.path()); }), "training images are 2×2 but test images 1×2"));
  std::filesystem::remove(folder / "train-labels-idx1-ubyte");
  CHECK(says(refusal([&] { (void)io::mnist(folder.path()); }), "train-labels-idx1-ubyte (No such file or directory)"));

  folder.write("train-labels-idx1-ubyte.gz", {0x1f, 0x8b});
  CHECK(says(refusal([&] { (void)io::mnist(folder.path()); }), "train-labels-idx1-ubyte.gz is compressed: unpack it"));
  folder.write("train-labels.idx1-ubyte", idx(2049, {3}, {4, 0, 9}));
  folder.write("t10k-images-idx3-ubyte", idx(2051, {2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8}));
  std::filesystem::remove(folder / "train-labels-idx1-ubyte.gz");
  CHECK(io::mnist(folder.path()).train.labels == std::vector<std::int64_t>{4, 0, 9});
}

TEST_CASE("a wrong header is refused") {
  CHECK(read(idx(2051, {1, 1, 2}, {5, 6})).empty());
  CHECK(says(read({0, 0, 8}), "f has 3 bytes: an IDX file of rank 3 begins with 16 bytes of header"));
  CHECK(says(read(idx(2049, {1, 1, 2}, {5, 6})),
             "f: the magic number at byte 0 is 2049; an IDX file of bytes and rank 3 has 2051"));
  CHECK(says(read(idx(0x1f8b0800, {1, 1, 2}, {5, 6})), "and is not compressed"));
  CHECK(says(read(idx(2051, {1, 0, 2}, {})), "extent 1 at byte 8 is 0"));
}

TEST_CASE("extents that disagree with the data are refused without overflow") {
  CHECK(says(read(idx(2051, {1, 1, 3}, {5, 6})), "f has 2 bytes of data, fewer than the shape [1, 1, 3] needs"));
  CHECK(says(read(idx(2051, {1, 1, 1}, {5, 6})), "the shape [1, 1, 1] needs 1 bytes of data, not 2"));
  CHECK(says(read(idx(2051, {0xffffffff, 0xffffffff, 0xffffffff}, {5, 6})),
             "fewer than the shape [4294967295, 4294967295, 4294967295] needs"));
  CHECK(says(read(idx(2051, {2, 0x80000000, 0x80000000}, {5, 6})), "fewer than"));  // 2^63: doubling it again would wrap
}

TEST_CASE("labels that do not belong to the images are refused") {
  auto const images = idx(2051, {2, 1, 1}, {5, 6});
  CHECK(read_pair(images, idx(2049, {2}, {0, 9})).empty());
  CHECK(says(read_pair(images, idx(2049, {3}, {0, 9, 1})), "l has 3 labels for the 2 images of i"));
  CHECK(says(read_pair(images, idx(2049, {2}, {0, 10})), "l: the label at byte 9 is 10; MNIST labels are below 10"));
}
