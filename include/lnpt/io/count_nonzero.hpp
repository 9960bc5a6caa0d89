#pragma once
/// How many values of a stored tensor are not 0, in constant memory.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include <lnpt/io/dtype.hpp>
#include <lnpt/io/safetensors.hpp>

namespace lnpt::io {

namespace detail {
/// The values of a block, as unsigned words, that are not 0 when `ignored` bits are left out.
template <class Word>
[[nodiscard]] std::size_t count_nonzero_words(std::span<std::byte const> stored, Word ignored) {
  std::size_t count = 0;
  for (std::size_t i = 0; i != stored.size() / sizeof(Word); ++i) {
    Word word;
    std::memcpy(&word, stored.data() + i * sizeof word, sizeof word);
    count += static_cast<Word>(word & static_cast<Word>(~ignored)) != 0;
  }
  return count;
}

template <class Word>
[[nodiscard]] std::size_t count_nonzero_block(std::span<std::byte const> stored, dtype type) {
  auto const sign = static_cast<Word>(Word{1} << (8 * sizeof(Word) - 1));
  auto const has_negative_zero =
      is_floating(type) && type != dtype::f8_e4m3fnuz && type != dtype::f8_e5m2fnuz && type != dtype::f8_e8m0;
  return count_nonzero_words<Word>(stored, has_negative_zero ? sign : Word{0});
}
}  // namespace detail

/// Whether zeros of a type can be told from its stored words: not where values do not fill whole bytes, nor of complex ones.
[[nodiscard]] constexpr bool has_countable_zeros(dtype type) { return bits_of(type) >= 8 && type != dtype::c64; }

/// Counts the stored values that are neither +0 nor −0, of a type that has countable zeros.
[[nodiscard]] inline std::size_t count_nonzero(std::span<std::byte const> stored, dtype type) {
  switch (bits_of(type)) {
    case 8: return detail::count_nonzero_block<std::uint8_t>(stored, type);
    case 16: return detail::count_nonzero_block<std::uint16_t>(stored, type);
    case 32: return detail::count_nonzero_block<std::uint32_t>(stored, type);
    default: return detail::count_nonzero_block<std::uint64_t>(stored, type);
  }
}

/// Counts the values of a tensor that are neither +0 nor −0, and shows `see(first byte, bytes)` every block on the way; where zeros cannot
/// be told every value counts and nothing is read.
template <class See>
[[nodiscard]] std::size_t count_nonzero(safetensors::file const& file, safetensors::entry const& tensor, See see) {
  if (!has_countable_zeros(tensor.dtype)) return tensor.size();
  std::vector<std::byte> block;
  constexpr std::uint64_t block_bytes = std::uint64_t{1} << 21;
  std::size_t count = 0;
  for (std::uint64_t offset = 0; offset < tensor.end - tensor.begin; offset += block.size()) {
    block.resize(static_cast<std::size_t>(std::min(block_bytes, tensor.end - tensor.begin - offset)));
    file.read_bytes(tensor, offset, block);
    count += count_nonzero(block, tensor.dtype);
    see(offset, std::span<std::byte const>(block));
  }
  return count;
}

/// As above with nobody to see.
[[nodiscard]] inline std::size_t count_nonzero(safetensors::file const& file, safetensors::entry const& tensor) {
  return count_nonzero(file, tensor, [](std::uint64_t, std::span<std::byte const>) {});
}

}  // namespace lnpt::io
