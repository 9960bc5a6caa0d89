#pragma once
/// CIFAR-10 and CIFAR-100 in their binary versions. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/io/byte_source.hpp>
#include <lnpt/io/image_set.hpp>

namespace lnpt::io {

/// The label bytes before the 3072 pixels of a record; the class is the last of them.
struct cifar_format {
  std::string_view name;
  std::array<std::size_t, 2> label_bounds;  ///< how many values each label byte may take
  std::size_t label_bytes;

  [[nodiscard]] constexpr std::size_t classes() const { return label_bounds[label_bytes - 1]; }
  [[nodiscard]] constexpr std::size_t record_bytes() const { return label_bytes + std::size_t{3} * 32 * 32; }
};

inline constexpr cifar_format cifar10_format{"CIFAR-10", {10, 0}, 1};
inline constexpr cifar_format cifar100_format{"CIFAR-100", {20, 100}, 2};  // a coarse label, then the fine one

/// Checks every record of one file and appends to `into` as many as its limit leaves room for.
/// `statistics`, if any, see all of them.
inline void read_cifar(byte_source const& file, cifar_format const& format, std::size_t limit, image_set& into,
                       channel_statistics* statistics = nullptr) {
  auto const record_bytes = format.record_bytes();
  if (file.size() == 0 || file.size() % record_bytes != 0)
    fail(file.name(), " has ", file.size(), " bytes: a ", format.name, " file is a whole number of records of ", record_bytes,
         " bytes");
  into.channels = 3, into.height = into.width = 32, into.classes = format.classes();
  std::vector<std::uint8_t> record(record_bytes);
  auto const pixels = std::span<std::uint8_t const>(record).subspan(format.label_bytes);
  for (std::uint64_t offset = 0; offset != file.size(); offset += record_bytes) {
    file.read(offset, std::as_writable_bytes(std::span(record)));
    for (std::size_t i = 0; i != format.label_bytes; ++i)
      if (record[i] >= format.label_bounds[i])
        fail(file.name(), ": the label at byte ", offset + i, " (record ", offset / record_bytes, ") is ", +record[i], "; ",
             format.name, " labels there are below ", format.label_bounds[i]);
    if (statistics != nullptr) statistics->add(pixels);
    if (into.size() >= limit) continue;
    into.labels.push_back(record[format.label_bytes - 1]);
    into.pixels.insert(into.pixels.end(), pixels.begin(), pixels.end());
  }
}

namespace detail {
[[nodiscard]] inline data_set read_cifar_folder(std::filesystem::path const& folder, cifar_format const& format,
                                                std::span<std::string_view const> train_files, std::string_view test_file,
                                                data_set_options const& options) {
  data_set set;
  set.name = format.name;
  channel_statistics statistics(3);
  for (auto const name : train_files)
    read_cifar(byte_source::open(folder / name), format, options.train_limit, set.train, &statistics);
  read_cifar(byte_source::open(folder / test_file), format, options.test_limit, set.test);
  statistics.give_to(set);
  return set;
}
}  // namespace detail

/// The folder with data_batch_1.bin to data_batch_5.bin and test_batch.bin.
[[nodiscard]] inline data_set cifar10(std::filesystem::path const& folder, data_set_options const& options = {}) {
  static constexpr std::array<std::string_view, 5> train{"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                                                         "data_batch_4.bin", "data_batch_5.bin"};
  return detail::read_cifar_folder(folder, cifar10_format, train, "test_batch.bin", options);
}

/// The folder with train.bin and test.bin; the fine labels are used.
[[nodiscard]] inline data_set cifar100(std::filesystem::path const& folder, data_set_options const& options = {}) {
  static constexpr std::array<std::string_view, 1> train{"train.bin"};
  return detail::read_cifar_folder(folder, cifar100_format, train, "test.bin", options);
}

}  // namespace lnpt::io
