#pragma once
/// What every fuzz target needs: refusals are expected, anything else is a finding.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <lnpt/core/error.hpp>
#include <span>

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace fuzz {

/// Stops the fuzzer where a promise does not hold.
inline void require(bool holds) {
  if (!holds) std::abort();
}

/// Runs `act`; only `lnpt::error`, with words, may come out of it.
template <class Act>
void attempt(Act act) {
  try {
    act();
  } catch (lnpt::error const& predicted) {
    require(*predicted.what() != '\0');
  }
}

/// Replaces an input by a valid file now and then, so that every run starts from one without a corpus.
inline std::size_t mutate_from(std::uint8_t* data, std::size_t size, std::size_t max_size, unsigned seed,
                               std::span<std::byte const> valid) {
  if ((size == 0 || seed % 16 == 0) && valid.size() <= max_size) {
    std::memcpy(data, valid.data(), valid.size());
    size = valid.size();
  }
  return LLVMFuzzerMutate(data, size, max_size);
}

/// The same for safetensors files: most mutants get a header length that ends at the last '}', so that they reach the JSON.
inline std::size_t mutate_framed(std::uint8_t* data, std::size_t size, std::size_t max_size, unsigned seed,
                                 std::span<std::byte const> valid) {
  size = mutate_from(data, size, max_size, seed, valid);
  if (size <= 8 || seed % 4 == 1) return size;
  auto const* const last = std::find(std::make_reverse_iterator(data + size), std::make_reverse_iterator(data + 8), '}').base();
  std::uint64_t const length = static_cast<std::uint64_t>(last - (data + 8));
  std::memcpy(data, &length, sizeof length);
  return size;
}

}  // namespace fuzz
