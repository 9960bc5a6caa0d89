/// Any bytes as a zip archive: its entries read, or are refused with lnpt::error, and nothing else happens.
#include <cstddef>
#include <cstdint>
#include <lnpt/io/zip/archive.hpp>
#include <span>

#include "../io/zip_bytes.hpp"
#include "support.hpp"

namespace {

/// An archive that was accepted has every entry inside the file, and none of them twice.
void read_everything(lnpt::io::zip::archive const& archive, std::size_t size) {
  std::uint64_t bytes = 0;
  for (auto const& entry : archive.entries()) {
    bytes += entry.size;
    fuzz::require(archive.find(entry.name) == &entry);
    fuzz::attempt([&] { fuzz::require(archive.read(entry).size() == entry.size); });
  }
  fuzz::require(bytes <= size);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  fuzz::attempt([&] {
    read_everything(lnpt::io::zip::archive(lnpt::io::byte_source::view(std::as_bytes(std::span(data, size)), "memory")), size);
  });
  return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size, unsigned seed) {
  static auto const whole = support::archive_of({{"net/a", "hello"}, {"net/b", ""}, {"c", "world"}});
  return fuzz::mutate_from(data, size, max_size, seed, std::as_bytes(std::span(whole)));
}
