#pragma once
/// Text for pages and pictures.
#include <string>
#include <string_view>

namespace cli {

/// The text as XML and HTML take it, between tags and in attributes. Control characters, which XML has no place for, become spaces.
[[nodiscard]] inline std::string escaped(std::string_view text) {
  std::string result;
  for (auto const c : text) {
    switch (c) {
      case '<': result += "&lt;"; break;
      case '>': result += "&gt;"; break;
      case '&': result += "&amp;"; break;
      case '"': result += "&quot;"; break;
      case '\'': result += "&#39;"; break;
      default: result += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
  }
  return result;
}

/// The text in at most `most` characters, the middle left out where it is longer: names of layers and criteria differ at their ends.
[[nodiscard]] std::string shortened(std::string_view text, std::size_t most);

}  // namespace cli
