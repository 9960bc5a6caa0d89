#pragma once
/// Names from files, as messages show them.
#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace lnpt::io {

/// A name in quotation marks; a long one is cut.
[[nodiscard]] inline std::string in_quotes(std::string_view name) {
  constexpr std::size_t longest = 80;
  return '"' + std::string(name.substr(0, longest)) + (name.size() > longest ? "…\"" : "\"");
}

/// Up to three of the names, then how many more: `"a", "b", "c" and 4 more`; `none` where there are none.
[[nodiscard]] inline std::string first_names(std::vector<std::string> const& names) {
  constexpr std::size_t shown = 3;
  std::string text;
  for (std::size_t i = 0; i != std::min(shown, names.size()); ++i) text += (i ? ", " : "") + in_quotes(names[i]);
  if (names.size() > shown) text += " and " + std::to_string(names.size() - shown) + " more";
  return names.empty() ? "none" : text;
}

}  // namespace lnpt::io
