/// Any bytes as a safetensors file: they read, or are refused with lnpt::error, and nothing else happens.
#include <cstddef>
#include <cstdint>
#include <lnpt/core/error.hpp>
#include <lnpt/io/safetensors.hpp>
#include <span>
#include <vector>

#include "support.hpp"

namespace {

lnpt::io::safetensors::writer valid() {
  lnpt::io::safetensors::writer writer;
  writer.add("a", {2}, std::vector<float>{1, 2});
  writer.add("b", {}, std::vector<double>{3});
  writer.add("m", {0, 3}, std::vector<std::uint8_t>{});
  return writer;
}

/// A file that was accepted keeps what its header promises.
void read_everything(lnpt::io::safetensors::file const& file, std::uint64_t size) {
  std::uint64_t bytes = 0;
  for (auto const& tensor : file.entries()) {
    bytes += tensor.end - tensor.begin;
    fuzz::require(file.contains(tensor.name) && file.info(tensor.name).name == tensor.name);
    fuzz::attempt([&] { fuzz::require(file.read<double>(tensor.name).size() == tensor.size()); });
    fuzz::attempt([&] { fuzz::require(file.read<std::int64_t>(tensor.name).size() == tensor.size()); });
  }
  fuzz::require(bytes < size);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  auto const bytes = std::as_bytes(std::span(data, size));
  fuzz::attempt([&] { read_everything(lnpt::io::safetensors::view(bytes), size); });
  return 0;
}

/// Some mutants start from a valid file, and most get a fitting header length, so that mutations reach the JSON.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size, unsigned seed) {
  static auto const whole = valid().bytes();
  return fuzz::mutate_framed(data, size, max_size, seed, whole);
}
