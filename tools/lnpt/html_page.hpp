#pragma once
/// Pages for a browser: one self-contained file, which is XML as well, without scripts and network, light and dark, for wide and narrow
/// screens and for paper.
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace cli {

/// How the title of every page begins.
inline constexpr std::string_view page_title_begins = "<title>lnpt: ";

/// A number that can be read by eye and, in full, by a program.
[[nodiscard]] std::string data(double value, std::string const& shown);

[[nodiscard]] std::string cell(std::string const& content);

/// Opens a table in a box that scrolls sideways by itself.
[[nodiscard]] std::string opened_table(std::string_view id, std::vector<std::string> const& headings);
inline constexpr std::string_view closed_table = "</tbody></table></div>\n";

/// The settings of a run as a table.
[[nodiscard]] std::string settings_table(std::map<std::string, std::string> const& settings);

/// The page with this body.
[[nodiscard]] std::string html_page(std::string_view title, std::string_view body);

}  // namespace cli
