/// CIFAR's binary files, whole and broken.
#include <doctest/doctest.h>

#include <cmath>
#include <lnpt/io/cifar.hpp>

#include "support.hpp"

namespace io = lnpt::io;
using support::bytes;
using support::refusal;
using support::says;

namespace {

/// Records whose pixels all have one value per channel: `base`, `base` + 1, `base` + 2.
bytes record(std::initializer_list<std::uint8_t> labels, std::uint8_t base) {
  bytes result(labels);
  for (int channel = 0; channel != 3; ++channel) result.insert(result.end(), 1024, static_cast<std::uint8_t>(base + channel));
  return result;
}
bytes joined(std::initializer_list<bytes> parts) {
  bytes all;
  for (auto const& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

void write_cifar10(support::temporary_folder const& folder) {
  for (std::uint8_t i = 1; i <= 5; ++i)
    folder.write("data_batch_" + std::to_string(i) + ".bin", joined({record({i}, 10), record({0}, 20)}));
  folder.write("test_batch.bin", joined({record({9}, 250), record({8}, 0), record({7}, 1)}));
}

std::string read(io::cifar_format const& format, bytes const& content) {
  io::image_set set;
  return refusal([&] { io::read_cifar(io::byte_source::view(std::as_bytes(std::span(content)), "f"), format, 100, set); });
}

}  // namespace

TEST_CASE("CIFAR-10 reads its five batches in order, and the test batch") {
  support::temporary_folder const folder;
  write_cifar10(folder);
  auto const set = io::cifar10(folder.path());
  CHECK(set.name == "CIFAR-10");
  CHECK(set.train.labels == std::vector<std::int64_t>{1, 0, 2, 0, 3, 0, 4, 0, 5, 0});
  CHECK(set.test.labels == std::vector<std::int64_t>{9, 8, 7});
  CHECK(set.train.classes == 10);
  CHECK(set.train.image_size() == 3072);
  CHECK(set.train.pixels.size() == 10 * 3072);
  CHECK(set.train.image(1)[1023] == 20);
  CHECK(set.train.image(1)[1024] == 21);
  CHECK(set.test.image(0)[3071] == 252);
}

TEST_CASE("the statistics are the training split's, whatever the limit") {
  support::temporary_folder const folder;
  write_cifar10(folder);
  auto const set = io::cifar10(folder.path(), {.train_limit = 3, .test_limit = 1});
  CHECK(set.train.size() == 3);
  CHECK(set.train.pixels.size() == 3 * 3072);
  CHECK(set.test.size() == 1);
  REQUIRE(set.train.mean.size() == 3);
  CHECK(set.train.mean[0] == doctest::Approx(15.0 / 255));  // half the pixels are 10, half are 20
  CHECK(set.train.mean[2] == doctest::Approx(17.0 / 255));
  CHECK(set.train.stddev[1] == doctest::Approx(5.0 / 255));
  CHECK(set.test.mean == set.train.mean);
  CHECK(set.test.stddev == set.train.stddev);
}

TEST_CASE("a constant channel has the deviation 1") {
  io::channel_statistics statistics(1);
  statistics.add(bytes(100, 51));
  io::data_set set;
  statistics.give_to(set);
  CHECK(set.train.mean[0] == doctest::Approx(0.2));
  CHECK(set.train.stddev[0] == 1.0f);
}

TEST_CASE("CIFAR-100 uses its fine labels") {
  support::temporary_folder const folder;
  folder.write("train.bin", joined({record({19, 99}, 0), record({0, 1}, 1)}));
  folder.write("test.bin", record({3, 42}, 0));
  auto const set = io::cifar100(folder.path());
  CHECK(set.train.labels == std::vector<std::int64_t>{99, 1});
  CHECK(set.test.labels == std::vector<std::int64_t>{42});
  CHECK(set.train.classes == 100);
}

TEST_CASE("a label out of range is refused by file, byte and record") {
  CHECK(says(read(io::cifar10_format, joined({record({9}, 0), record({10}, 0)})),
             "f: the label at byte 3073 (record 1) is 10; CIFAR-10 labels there are below 10"));
  CHECK(says(read(io::cifar100_format, record({20, 0}, 0)),
             "f: the label at byte 0 (record 0) is 20; CIFAR-100 labels there are below 20"));
  CHECK(says(read(io::cifar100_format, record({19, 100}, 0)), "the label at byte 1 (record 0) is 100"));
}

TEST_CASE("a label out of range past the limit is refused too") {
  auto const content = joined({record({1}, 0), record({255}, 0)});
  io::image_set set;
  auto const source = io::byte_source::view(std::as_bytes(std::span(content)), "f");
  CHECK(says(refusal([&] { io::read_cifar(source, io::cifar10_format, 1, set); }), "(record 1) is 255"));
}

TEST_CASE("a truncated, empty or missing file is refused") {
  auto cut = record({1}, 0);
  cut.pop_back();
  CHECK(says(read(io::cifar10_format, cut), "f has 3072 bytes: a CIFAR-10 file is a whole number of records of 3073 bytes"));
  CHECK(says(read(io::cifar10_format, {}), "f has 0 bytes"));
  CHECK(says(read(io::cifar100_format, record({1}, 0)), "records of 3074 bytes"));
  support::temporary_folder const folder;
  write_cifar10(folder);
  std::filesystem::remove(folder / "data_batch_3.bin");
  CHECK(says(refusal([&] { (void)io::cifar10(folder.path()); }), "data_batch_3.bin (No such file or directory)"));
}
