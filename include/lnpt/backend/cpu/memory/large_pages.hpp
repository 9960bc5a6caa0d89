#pragma once
/// Large pages for what an engine streams through, where the system has them for programs that ask.
#include <cstddef>

#if __has_include(<sys/mman.h>)
#include <sys/mman.h>
#endif

namespace lnpt::cpu::detail {

/// At whose multiples large pages begin: 2 MiB on x86-64 and on ARM with pages of 4 KiB. Elsewhere it is no more than an alignment.
inline constexpr std::size_t large_page = std::size_t{2} << 20;

/// Asks for large pages: processors look ahead within a page alone, and find 512 times as much memory by as many entries of their tables.
/// Linux takes it for advice, other systems are not asked.
inline void prefer_large_pages([[maybe_unused]] void* begin, [[maybe_unused]] std::size_t bytes) noexcept {
#ifdef MADV_HUGEPAGE
  madvise(begin, bytes, MADV_HUGEPAGE);
#endif
}

}  // namespace lnpt::cpu::detail
