#pragma once
/// Writing at a place of an open file.
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>

namespace lnpt::io {

/// Writes all of the bytes at an offset. Says whether the system let it; `errno` holds why not. Safe from several threads at different places.
[[nodiscard]] inline bool write_at(int descriptor, std::uint64_t offset, std::span<std::byte const> bytes) {
  while (!bytes.empty()) {
    auto const written = ::pwrite(descriptor, bytes.data(), bytes.size(), static_cast<::off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    offset += static_cast<std::uint64_t>(written);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace lnpt::io
