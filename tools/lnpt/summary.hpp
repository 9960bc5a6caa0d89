#pragma once
/// A few numbers by their mean and spread.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <fmt/format.h>
#include <limits>
#include <string>

namespace cli {

/// Mean and standard deviation of a few numbers.
struct summary {
  std::size_t count = 0;
  double sum = 0, squares = 0;
  double smallest = std::numeric_limits<double>::infinity(), largest = -smallest;

  void add(double x) {
    ++count;
    sum += x;
    squares += x * x;
    smallest = std::min(smallest, x);
    largest = std::max(largest, x);
  }
  [[nodiscard]] double mean() const { return sum / static_cast<double>(count); }
  [[nodiscard]] double deviation() const {
    auto const n = static_cast<double>(count);
    return std::sqrt(std::max(0.0, squares - sum * sum / n) / (n - 1));
  }
  /// As a percentage, with the deviation where there is one; a dash of no numbers.
  [[nodiscard]] std::string percent() const {
    if (count == 0) return "–";
    return count > 1 ? fmt::format("{:.1f} ± {:3.1f}", 100 * mean(), 100 * deviation()) : fmt::format("{:.1f}", 100 * mean());
  }
  /// The mean in three digits; a dash of no numbers.
  [[nodiscard]] std::string text() const { return count == 0 ? "–" : fmt::format("{:.3g}", mean()); }
};

}  // namespace cli
