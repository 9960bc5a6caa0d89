#pragma once
/// From the 64 bits of files to the sizes of this machine, which may have 32.
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

#include <lnpt/core/error.hpp>

namespace lnpt::io {

/// The number as a `Size`, or nothing where a `Size` cannot hold it.
template <std::unsigned_integral Size>
[[nodiscard]] constexpr std::optional<Size> narrowed(std::uint64_t number) {
  if (number > std::numeric_limits<Size>::max()) return std::nullopt;
  return static_cast<Size>(number);
}

/// The product of the extents as a `Size`, or nothing where a `Size` cannot hold it. An extent of 0 makes any product 0.
template <std::unsigned_integral Size, class Extents>
[[nodiscard]] constexpr std::optional<Size> narrowed_product(Extents const& extents) {
  Size product = 1;
  bool too_large = false;
  for (std::uint64_t const extent : extents) {
    if (extent == 0) return Size{0};
    too_large = too_large || extent > std::numeric_limits<Size>::max() / product;
    if (!too_large) product = static_cast<Size>(product * extent);
  }
  if (too_large) return std::nullopt;
  return product;
}

/// The number as a size in memory; refuses one that this machine cannot address. `what` names it: `"f: tensor \"a\""`.
[[nodiscard]] inline std::size_t memory_size(std::uint64_t number, std::string_view what) {
  auto const size = narrowed<std::size_t>(number);
  if (!size)
    fail(what, " counts ", number, ", more than the ", std::numeric_limits<std::size_t>::digits,
         " bits of this machine's sizes; read it on a 64-bit machine");
  return *size;
}

}  // namespace lnpt::io
