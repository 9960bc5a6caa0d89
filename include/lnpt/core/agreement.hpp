#pragma once
/// How often decisions are those expected.
#include <cstddef>

namespace lnpt {

/// How many of the classes decided for, one per sample, are those expected of the same samples.
[[nodiscard]] constexpr std::size_t count_agreeing(auto const& decided, auto const& expected) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < decided.size(); ++i) count += decided[i] == expected[i];
  return count;
}

}  // namespace lnpt
