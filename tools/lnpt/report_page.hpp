#pragma once
/// Comparisons as a page for a browser.
#include <cstddef>
#include <string>
#include <vector>

#include "comparison_record.hpp"

namespace cli {

/// One self-contained HTML file, which is XML as well: no script, no network, light and dark, for wide and narrow screens and for paper.
/// Every number of the tables is an element <data> whose value is the one of results.json. `planned`: how many students there will be
/// in all; 0: unknown.
[[nodiscard]] std::string report_page(std::vector<comparison_record> const& runs, std::size_t planned = 0);

}  // namespace cli
