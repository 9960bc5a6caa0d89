#pragma once
/// What tells images apart that have one form and one number.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include <lnpt/core/random.hpp>

namespace lnpt::io {

/// A number that changes with any byte of images, and with their order; goes on from that of others. One read of them.
[[nodiscard]] inline std::uint64_t pixel_digest(std::span<std::uint8_t const> pixels, std::uint64_t digest = 0) {
  for (std::size_t at = 0; at < pixels.size(); at += sizeof digest) {
    std::uint64_t eight = 0;
    for (auto const byte : pixels.subspan(at, std::min(sizeof digest, pixels.size() - at))) eight = eight << 8 | byte;
    digest = random_bits(digest, eight);
  }
  return digest;
}

}  // namespace lnpt::io
