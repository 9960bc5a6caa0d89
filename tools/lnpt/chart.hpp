#pragma once
/// Charts as SVG: lines over an axis, and rows of points. Each has a title, labelled axes, a legend and its values in words.
#include <cstddef>
#include <string>
#include <vector>

namespace cli {

/// A value with the spread around it: `low` to `high` are values of the axis that measures.
struct chart_point {
  double x = 0, y = 0;
  double low = 0, high = 0;
};

/// Points of one kind. Colour and marker follow from `style`, so that a criterion looks the same in every chart.
struct chart_series {
  std::string name;
  std::size_t style = 0;
  bool dashed = false;
  std::vector<chart_point> points = {};
};

/// What a chart says in words.
struct chart_text {
  std::string id;  ///< without spaces, and different for every chart of a page
  std::string title;
  std::string x_label, y_label;
};

/// How far along an axis a number lies.
enum class axis_kind {
  linear,
  exact,  ///< linear, and ends at the first and the last number
  logarithmic,
  automatic,     ///< logarithmic where all numbers are above 0 and the largest is over a hundred times the smallest
  log_remaining  ///< of a sparsity in percent: the logarithm of what is left, with a tick at each value
};

/// Lines with bands from low to high. Numbers that are not finite are left out.
[[nodiscard]] std::string line_chart(chart_text const& text, std::vector<chart_series> const& series, axis_kind x, axis_kind y);

/// Rows, one below the other, with a point for each series: `x` is measured, `y` the number of the row. On a logarithmic axis 0 stands
/// at the left edge.
[[nodiscard]] std::string row_chart(chart_text const& text, std::vector<std::string> const& rows,
                                    std::vector<chart_series> const& series, axis_kind x);

/// The style sheet of charts, light and dark.
[[nodiscard]] std::string chart_style();

/// How every chart begins.
inline constexpr char const* chart_begins = "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\"";

/// A chart as a file of its own.
[[nodiscard]] std::string standalone_svg(std::string const& chart);

}  // namespace cli
