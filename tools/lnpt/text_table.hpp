#pragma once
/// Tables for people: columns as wide as their widest cell.
#include <algorithm>
#include <fmt/format.h>
#include <string>
#include <vector>

namespace cli {

/// The first column is aligned left, the others right.
class text_table {
 public:
  explicit text_table(std::vector<std::string> headings) { add(std::move(headings)); }

  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }

  /// The headings, then the rows.
  [[nodiscard]] std::vector<std::vector<std::string>> const& rows() const { return rows_; }

  void print() const {
    std::vector<std::size_t> widths(rows_.front().size());
    for (auto const& row : rows_)
      for (std::size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], width(row[c]));
    for (auto const& row : rows_) {
      std::string line;
      for (std::size_t c = 0; c < row.size(); ++c) {
        std::string const room(widths[c] - width(row[c]), ' ');
        line += c == 0 ? row[c] + room : "  " + room + row[c];
      }
      line.erase(line.find_last_not_of(' ') + 1);
      fmt::print("{}\n", line);
    }
  }

 private:
  /// Code points, which here are as many as columns.
  static std::size_t width(std::string const& text) {
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
  }

  std::vector<std::vector<std::string>> rows_;
};

}  // namespace cli
