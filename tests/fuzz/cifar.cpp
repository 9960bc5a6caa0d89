/// Any bytes as a CIFAR file of either kind.
#include <lnpt/io/cifar.hpp>
#include <vector>

#include "support.hpp"

namespace {

/// The first byte says which kind and what limit; the rest is one record's labels, the record count and how the last one is cut.
/// Records are built here, since a mutator would take ages to grow three thousand pixels.
std::vector<std::uint8_t> grown(lnpt::io::cifar_format const& format, std::span<std::uint8_t const> data) {
  if (data.empty()) return {};
  std::vector<std::uint8_t> file;
  auto const records = data[0] % 4u;
  for (std::size_t i = 0; i != records; ++i) {
    auto const at = file.size();
    file.resize(at + format.record_bytes(), data.back());
    for (std::size_t j = 0; j != format.label_bytes; ++j) file[at + j] = data[(1 + i * 2 + j) % data.size()];
  }
  if (data.size() % 4 == 3) file.resize(file.size() - std::min<std::size_t>(file.size(), data.back()));
  return file;
}

void read(lnpt::io::cifar_format const& format, std::size_t limit, std::span<std::uint8_t const> bytes) {
  lnpt::io::image_set set;
  lnpt::io::channel_statistics statistics(3);
  fuzz::attempt([&] {
    lnpt::io::read_cifar(lnpt::io::byte_source::view(std::as_bytes(bytes), "memory"), format, limit, set, &statistics);
    fuzz::require(set.size() == std::min(limit, bytes.size() / format.record_bytes()));
    lnpt::io::data_set both{.train = set, .test = {}, .name = ""};
    statistics.give_to(both);
    for (auto const deviation : both.train.stddev) fuzz::require(deviation > 0);
  });
  fuzz::require(set.pixels.size() == set.size() * 3072);
  for (auto const label : set.labels) fuzz::require(label >= 0 && label < static_cast<std::int64_t>(set.classes));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  if (size == 0) return 0;
  auto const& format = data[0] % 2 == 0 ? lnpt::io::cifar10_format : lnpt::io::cifar100_format;
  auto const rest = std::span(data, size).subspan(1);
  read(format, data[0] / 64, rest);
  read(format, data[0] / 64, grown(format, rest));
  return 0;
}
