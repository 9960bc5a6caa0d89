#pragma once
/// Reading a page as XML: whether tags close each other, and what its <data> elements hold.
#include <cctype>
#include <string>
#include <string_view>
#include <vector>

namespace cli_test {

/// What is wrong with the tags and entities of a text; empty where every tag closes the one that was opened last.
inline std::string fault_of_xml(std::string_view text) {
  std::vector<std::string> open;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '&') {
      auto const end = text.find(';', at);
      auto const name = text.substr(at + 1, end - at - 1);
      if (name != "lt" && name != "gt" && name != "amp" && name != "quot" && !name.starts_with('#')) return "a bare &";
    }
    if (text[at] != '<') continue;
    auto const end = text.find('>', at);
    if (end == text.npos) return "a tag without an end";
    auto const tag = text.substr(at + 1, end - at - 1);
    if (tag.find('<') != tag.npos) return "a < in a tag: " + std::string(tag);
    at = end;
    if (tag.starts_with('!') || tag.ends_with('/')) continue;
    if (!tag.starts_with('/')) {
      std::size_t length = 0;
      while (length < tag.size() && std::isspace(static_cast<unsigned char>(tag[length])) == 0) ++length;
      open.emplace_back(tag.substr(0, length));
    } else if (open.empty() || open.back() != tag.substr(1)) {
      return "</" + std::string(tag.substr(1)) + "> closes " + (open.empty() ? "nothing" : open.back());
    } else {
      open.pop_back();
    }
  }
  return open.empty() ? "" : open.back() + " stays open";
}

/// The numbers of a table of the page, in the order of its cells.
inline std::vector<double> data_of(std::string_view page, std::string const& table) {
  std::vector<double> values;
  auto const begin = page.find("<table id=\"" + table + '"');
  auto const end = page.find("</table>", begin);
  constexpr std::string_view mark = "<data value=\"";
  for (auto at = page.find(mark, begin); at < end; at = page.find(mark, at + 1))
    values.push_back(std::stod(std::string(page.substr(at + mark.size(), 40))));
  return values;
}

}  // namespace cli_test
