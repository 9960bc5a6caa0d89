#pragma once
/// Names that a pattern with stars stands for.
#include <cstddef>
#include <string_view>

namespace lnpt::io {

/// Whether the whole name is what the pattern stands for: `*` is any run of characters, dots among them, `?` any one.
/// Cost: the product of the lengths at worst, never more.
[[nodiscard]] constexpr bool matches(std::string_view pattern, std::string_view name) {
  std::size_t p = 0;
  std::size_t n = 0;
  std::size_t star = std::string_view::npos;
  std::size_t resume = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = n;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n])) {
      ++p, ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace lnpt::io
