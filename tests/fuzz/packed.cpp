/// Any bytes as a packed network.
#include <lnpt/io/packed.hpp>
#include <vector>

#include "support.hpp"

namespace {

std::vector<std::byte> valid() {
  lnpt::io::safetensors::writer writer;
  writer.add("kept.w", {2}, std::vector<float>{1, 2});
  writer.add("gaps.w", {2}, std::vector<std::uint8_t>{1, 0});
  writer.add("extents.w", {2}, std::vector<std::int64_t>{2, 3});
  writer.metadata(lnpt::io::packed_key, lnpt::io::packed_version);
  auto const plain = writer.bytes();
  writer.metadata(lnpt::io::packed_checksum_key, lnpt::io::detail::checksum(lnpt::io::safetensors::view(plain)));
  return writer.bytes();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  fuzz::attempt([&] {
    lnpt::io::packed_file const file(lnpt::io::safetensors::view(std::as_bytes(std::span(data, size))));
    for (auto const& kept : file.masks()) fuzz::require(file.kept<float>(kept.name()).size() == kept.count());
  });
  // Without the checksum, which few mutants have right: any bytes as gaps.
  fuzz::attempt([&] {
    std::vector<std::uint8_t> const gaps(data, data + size);
    fuzz::require(lnpt::io::detail::gaps_of(lnpt::io::detail::mask_of("f", "w", {64, 64}, gaps)).size() == gaps.size());
  });
  return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size, unsigned seed) {
  static auto const whole = valid();
  return fuzz::mutate_framed(data, size, max_size, seed, whole);
}
