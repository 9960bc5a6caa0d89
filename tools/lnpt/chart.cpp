#include "chart.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <iterator>

#include "xml.hpp"

namespace cli {

namespace {

// In pixels at full size; a phone shows a chart in about this width.
constexpr double width = 400, right = 388, title_height = 24, plot_height = 230, legend_row = 17;
constexpr std::size_t longest_name = 52;

struct tick {
  double value;
  std::string label;
};

/// Maps numbers to [0, 1].
class axis {
 public:
  axis(axis_kind kind, std::vector<double> values) : kind_(kind) {
    std::erase_if(values, [](double v) { return !std::isfinite(v); });
    std::ranges::sort(values);
    auto const positive = std::ranges::upper_bound(values, 0.0);
    if (kind_ == axis_kind::automatic)
      kind_ = !values.empty() && positive == values.begin() && values.back() > 100 * values.front() ? axis_kind::logarithmic
                                                                                                    : axis_kind::linear;
    if (kind_ == axis_kind::logarithmic)
      set_decades(positive == values.end() ? 0.1 : *positive, positive == values.end() ? 1.0 : values.back());
    else if (kind_ == axis_kind::log_remaining)
      set_remaining(values);
    else
      set_linear(values.empty() ? 0.0 : values.front(), values.empty() ? 1.0 : values.back());
  }

  [[nodiscard]] double at(double value) const { return std::clamp((position(value) - low_) / (high_ - low_), 0.0, 1.0); }
  [[nodiscard]] std::vector<tick> const& ticks() const { return ticks_; }

 private:
  [[nodiscard]] double position(double value) const {
    if (kind_ == axis_kind::logarithmic) return value > 0 ? std::log10(value) : low_;
    if (kind_ == axis_kind::log_remaining) return -std::log10(std::max(1e-4, 1 - value / 100));
    return value;
  }

  void set_linear(double low, double high) {
    if (high == low) high = low + (low == 0 ? 1 : std::abs(low) / 10);
    auto const rough = (high - low) / 5;
    auto const power = std::pow(10, std::floor(std::log10(rough)));
    auto const step = power * (rough <= power ? 1 : rough <= 2 * power ? 2 : rough <= 5 * power ? 5 : 10);
    low_ = std::floor(low / step + 1e-9) * step;
    high_ = std::ceil(high / step - 1e-9) * step;
    if (kind_ == axis_kind::exact) {
      low_ = low;
      high_ = high;
    }
    for (auto i = std::ceil(low_ / step - 1e-9) + 0.0; i * step <= high_ + 1e-9 * step; ++i)
      ticks_.push_back({i * step, fmt::format("{:g}", std::round(i * step * 1e9) / 1e9)});
  }

  void set_decades(double low, double high) {
    low_ = std::floor(std::log10(low) + 1e-9);
    high_ = std::max(low_ + 1, std::ceil(std::log10(high) - 1e-9));
    auto const step = std::ceil((high_ - low_) / 6);
    for (auto decade = low_; decade <= high_; decade += step)
      ticks_.push_back({std::pow(10, decade), fmt::format("{:g}", std::pow(10, decade))});
  }

  void set_remaining(std::vector<double> values) {
    values.erase(std::ranges::unique(values).begin(), values.end());
    low_ = values.empty() ? 0 : position(values.front());
    high_ = values.empty() ? 1 : position(values.back());
    if (high_ == low_) high_ = low_ + 1;
    for (auto const v : values) ticks_.push_back({v, fmt::format("{:g}", v)});
  }

  axis_kind kind_;
  double low_ = 0, high_ = 1;
  std::vector<tick> ticks_;
};

std::string text_at(double x, double y, std::string_view anchor, std::string_view text, std::string_view style = "") {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\"{}>{}</text>\n", x, y, anchor, style, escaped(text));
}

std::string line_between(double x1, double y1, double x2, double y2, std::string_view kind) {
  return fmt::format("<path class=\"{}\" d=\"M{:.1f} {:.1f}L{:.1f} {:.1f}\"/>\n", kind, x1, y1, x2, y2);
}

/// One of five shapes, so that a print without colours can be read too.
std::string marker(std::size_t style, double x, double y) {
  constexpr std::array shapes{"m-3.6 0a3.6 3.6 0 1 0 7.2 0a3.6 3.6 0 1 0-7.2 0", "m-3.2-3.2h6.4v6.4h-6.4",
                              "m0-4.6l4.2 4.6l-4.2 4.6l-4.2-4.6", "m0-4.4l4.2 7.4h-8.4", "m0 4.4l4.2-7.4h-8.4"};
  return fmt::format("<path class=\"mark\" d=\"M{:.1f} {:.1f}{}z\"/>", x, y, shapes[style % shapes.size()]);
}

std::string colour(std::size_t style) { return fmt::format("c{}", style % 8); }

/// The values of a series in words, for whoever cannot see the chart.
std::string in_words(chart_text const& text, std::vector<chart_series> const& series, std::vector<std::string> const* rows) {
  std::string words = fmt::format("{} over {}.", text.y_label, text.x_label);
  if (rows) words = fmt::format("{}.", text.x_label);
  for (auto const& each : series) {
    words += ' ' + each.name + ':';
    for (std::size_t i = 0; i < each.points.size(); ++i) {
      if (!rows && each.points.size() > 8 && i != 0 && i + 1 != each.points.size()) continue;  // a curve: its ends
      auto const& p = each.points[i];
      words += rows ? fmt::format("{} {} {:.4g}", i ? "," : "", (*rows)[static_cast<std::size_t>(p.y)], p.x)
                    : fmt::format("{} {:.4g} at {:g}", i ? "," : "", p.y, p.x);
    }
    words += '.';
  }
  return words;
}

std::string opening(chart_text const& text, double height, std::string const& words) {
  auto const id = escaped(text.id);
  return fmt::format(
             "{5} width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" role=\"img\" "
             "aria-labelledby=\"{2}-title {2}-words\">\n<title id=\"{2}-title\">{3}</title>\n<desc id=\"{2}-words\">{4}</desc>\n",
             width, height, id, escaped(text.title), escaped(words), chart_begins) +
         text_at(2, 15, "start", text.title, " class=\"title\"");
}

std::string legend(std::vector<chart_series> const& series, double y) {
  std::string svg;
  for (auto const& each : series) {
    y += legend_row;
    svg += fmt::format("<g class=\"{}\"><title>{}</title><path class=\"line{}\" d=\"M2 {:.1f}h22\"/>", colour(each.style),
                       escaped(each.name), each.dashed ? " dash" : "", y - 4) +
           marker(each.style, 13, y - 4) + "</g>" + text_at(30, y, "start", shortened(each.name, longest_name));
  }
  return svg;
}

}  // namespace

std::string shortened(std::string_view text, std::size_t most) {
  if (text.size() <= most) return std::string(text);
  auto const inside = [&](std::size_t at) { return (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80; };  // of a character
  auto head = (most - 1) / 2;
  auto tail = text.size() - head;
  while (head > 0 && inside(head)) --head;
  while (tail < text.size() && inside(tail)) ++tail;
  return std::string(text.substr(0, head)) + "…" + std::string(text.substr(tail));
}

std::string line_chart(chart_text const& text, std::vector<chart_series> const& series, axis_kind x_kind, axis_kind y_kind) {
  constexpr double left = 44;
  std::vector<double> xs;
  std::vector<double> ys;
  for (auto const& each : series)
    for (auto const& p : each.points) {
      xs.push_back(p.x);
      ys.insert(ys.end(), {p.y, p.low, p.high});
    }
  axis const across(x_kind, xs);
  axis const up(y_kind, ys);
  auto const top = title_height + 18;
  auto const bottom = top + plot_height;
  auto const x_of = [&](double v) { return left + 8 + (right - left - 16) * across.at(v); };
  auto const y_of = [&](double v) { return bottom - plot_height * up.at(v); };

  auto const height = bottom + 38 + legend_row * static_cast<double>(series.size()) + 6;
  auto svg = opening(text, height, in_words(text, series, nullptr)) + text_at(0, title_height + 8, "start", text.y_label) +
             text_at((left + right) / 2, bottom + 33, "middle", text.x_label);
  for (auto const& t : up.ticks())
    svg += line_between(left, y_of(t.value), right, y_of(t.value), "grid") + text_at(left - 5, y_of(t.value) + 4, "end", t.label);
  svg += line_between(left, bottom, right, bottom, "axis");
  double labelled = -100;
  for (auto const& t : across.ticks()) {
    svg += line_between(x_of(t.value), bottom, x_of(t.value), bottom + 4, "axis");
    if (x_of(t.value) - labelled < 24) continue;
    labelled = x_of(t.value);
    svg += text_at(labelled, bottom + 17, "middle", t.label);
  }
  for (auto const& each : series) {
    std::string line;
    std::string upper;
    std::string lower;
    std::string marks;
    std::size_t count = 0;
    for (auto const& p : each.points) {
      if (!std::isfinite(p.y)) continue;
      line += fmt::format("{}{:.1f} {:.1f}", count ? 'L' : 'M', x_of(p.x), y_of(p.y));
      upper += fmt::format("{}{:.1f} {:.1f}", count ? 'L' : 'M', x_of(p.x), y_of(p.high));
      lower.insert(0, fmt::format("L{:.1f} {:.1f}", x_of(p.x), y_of(p.low)));
      if (each.points.size() <= 20) marks += marker(each.style, x_of(p.x), y_of(p.y));
      ++count;
    }
    if (count == 0) continue;
    svg += fmt::format(
        "<g class=\"{}\"><title>{}</title><path class=\"band\" d=\"{}{}z\"/><path class=\"line{}\" d=\"{}\"/>{}</g>\n",
        colour(each.style), escaped(each.name), upper, lower, each.dashed ? " dash" : "", line, marks);
  }
  return svg + legend(series, bottom + 40) + "</svg>\n";
}

std::string row_chart(chart_text const& text, std::vector<std::string> const& rows, std::vector<chart_series> const& series,
                      axis_kind kind) {
  constexpr double row_height = 17;
  constexpr std::size_t longest_row = 22;
  std::vector<double> xs;
  for (auto const& each : series)
    for (auto const& p : each.points) xs.insert(xs.end(), {p.x, p.low, p.high});
  if (kind == axis_kind::linear) xs.push_back(0);
  axis const across(kind, xs);
  std::size_t longest = 0;
  for (auto const& row : rows) longest = std::max(longest, row.size());
  bool const above = longest > longest_row;  // names as long as these go over their rows
  auto const pitch = above ? 2 * row_height - 4 : row_height;
  auto const left = above ? 14.0 : 8 + 6.9 * static_cast<double>(longest);
  auto const top = title_height + 6;
  auto const bottom = top + pitch * static_cast<double>(rows.size()) + 4;
  auto const x_of = [&](double v) { return left + 8 + (right - left - 20) * across.at(v); };
  auto const y_of = [&](double row) { return top + pitch * (row + 1) - row_height / 2 + 2; };

  bool const keyed = series.size() > 1;
  auto const height = bottom + 40 + (keyed ? legend_row * static_cast<double>(series.size()) + 6 : 0);
  auto svg = opening(text, height, in_words(text, series, &rows));
  double labelled = -100;
  for (auto const& t : across.ticks()) {
    svg += line_between(x_of(t.value), top, x_of(t.value), bottom, "grid");
    if (x_of(t.value) - labelled < 30) continue;
    labelled = x_of(t.value);
    svg += text_at(labelled, bottom + 15, "middle", t.label);
  }
  svg += text_at((left + right) / 2, bottom + 32, "middle", text.x_label);
  for (std::size_t r = 0; r < rows.size(); ++r) {
    auto const y = y_of(static_cast<double>(r));
    svg += line_between(left, y, right, y, "grid") +
           (above ? text_at(2, y - 9, "start", shortened(rows[r], longest_name)) : text_at(left - 4, y + 4, "end", rows[r]));
  }
  for (auto const& each : series) {
    svg += fmt::format("<g class=\"{}\"><title>{}</title>", colour(each.style), escaped(each.name));
    for (auto const& p : each.points) {
      if (!std::isfinite(p.x)) continue;
      if (p.high > p.low) svg += line_between(x_of(p.low), y_of(p.y), x_of(p.high), y_of(p.y), "spread");
      svg += marker(each.style, x_of(p.x), y_of(p.y));
    }
    svg += "</g>\n";
  }
  return svg + (keyed ? legend(series, bottom + 40) : std::string()) + "</svg>\n";
}

std::string chart_style() {
  constexpr std::array light{"#0072b2", "#c44e00", "#00785a", "#a8327d", "#7d6200", "#6547b8", "#555555", "#b3123f"};
  constexpr std::array dark{"#5cb3f0", "#ff9a52", "#3fce9f", "#f082bf", "#e0bf4a", "#b79bff", "#c4c4c4", "#ff7d93"};
  std::string day;
  std::string night;
  for (std::size_t i = 0; i < light.size(); ++i) {
    day += fmt::format(".chart .c{}{{color:{}}}", i, light[i]);
    night += fmt::format(".chart .c{}{{color:{}}}", i, dark[i]);
  }
  return fmt::format(R"(
.chart{{font:12px system-ui,sans-serif;fill:#24292f}}
.chart .title{{font-weight:600;font-size:14px}}
.chart path{{fill:none}}
.chart .grid{{stroke:#d5dae0}}
.chart .axis{{stroke:#57606a}}
.chart .line{{stroke:currentColor;stroke-width:1.8}}
.chart .dash{{stroke-dasharray:5 4}}
.chart .spread{{stroke:currentColor;stroke-width:2.4;stroke-opacity:.45}}
.chart .mark{{fill:currentColor}}
.chart .band{{fill:currentColor;fill-opacity:.16}}
.chart .paper{{fill:#fff}}
{}
@media screen and (prefers-color-scheme:dark){{
.chart{{fill:#e3e8ee}}
.chart .grid{{stroke:#363d46}}
.chart .axis{{stroke:#9aa4af}}
.chart .paper{{fill:#15191e}}
{}
}}
)",
                     day, night);
}

std::string standalone_svg(std::string const& chart) {
  auto const end_of_tag = chart.find('>') + 1;
  return chart.substr(0, end_of_tag) + "\n<style>" + chart_style() + "</style>\n" +
         "<rect class=\"paper\" width=\"100%\" height=\"100%\"/>" + chart.substr(end_of_tag);
}

}  // namespace cli
