#pragma once
/// What the names of files end with.
#include <algorithm>
#include <string_view>

namespace lnpt::io {

/// Whether a file's name ends so, in lower case or upper: `has_ending("NET.PT2", ".pt2")`. `ending` is in lower case.
[[nodiscard]] constexpr bool has_ending(std::string_view name, std::string_view ending) {
  auto const lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return name.size() >= ending.size() && std::ranges::equal(name.substr(name.size() - ending.size()), ending, {}, lower);
}

}  // namespace lnpt::io
