#pragma once
/// Values that processes gather, which a communicator carries as bytes.
#include <cstddef>
#include <cstring>
#include <span>
#include <type_traits>
#include <vector>

namespace lnpt::detail {

/// Adds the values that some rank passed as bytes.
template <class T>
  requires std::is_trivially_copyable_v<T>
void append_values(std::vector<T>& all, std::span<std::byte const> bytes) {
  auto const before = all.size();
  all.resize(before + bytes.size() / sizeof(T));
  if (!bytes.empty()) std::memcpy(&all[before], bytes.data(), bytes.size());
}

}  // namespace lnpt::detail
