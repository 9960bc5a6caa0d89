#include "ratio_plot.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <iterator>
#include <span>

#include <lnpt/io/atomic_file.hpp>

#include "misuse.hpp"

namespace cli {

std::string bar(double fraction, std::size_t width) {
  constexpr std::array<char const*, 8> eighths{"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  auto const cells = static_cast<std::size_t>(std::clamp(fraction, 0.0, 1.0) * 8 * static_cast<double>(width) + 0.5);
  std::string text;
  for (std::size_t i = 0; i < cells / 8; ++i) text += "█";
  return text + eighths[cells % 8];
}

namespace {

/// Text between the tags of XML.
std::string escaped(std::string const& text) {
  std::string result;
  for (auto const c : text) result += c == '<' ? "&lt;" : c == '&' ? "&amp;" : std::string(1, c);
  return result;
}

std::string as_svg(std::vector<layer_ratio> const& layers) {
  constexpr int row = 16, names = 220, bars = 400, numbers = 60;
  auto const height = row * (static_cast<int>(layers.size()) + 2);
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" font-family=\"sans-serif\" "
      "font-size=\"11\">\n<text x=\"{2}\" y=\"{3}\">remaining weights per layer, %</text>\n",
      names + bars + numbers, height, names, row - 4);
  for (int y = row; auto const& layer : layers) {
    svg += fmt::format(
        "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text><rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" "
        "fill=\"#e5e5e5\"/>"
        "<rect x=\"{}\" y=\"{}\" width=\"{:.1f}\" height=\"{}\" fill=\"#3b6ea5\"/><text x=\"{}\" y=\"{}\">{:.1f}</text>\n",
        names - 6, y + 12, escaped(layer.name), names, y + 3, bars, row - 5, names, y + 3, bars * layer.remaining, row - 5,
        names + bars + 6, y + 12, 100 * layer.remaining);
    y += row;
  }
  return svg + "</svg>\n";
}

std::string as_gnuplot(std::vector<layer_ratio> const& layers) {
  std::string script = "# gnuplot -p FILE\n$layers << END\n";
  for (auto const& layer : layers) script += fmt::format("\"{}\" {:.4f}\n", layer.name, 100 * layer.remaining);
  return script +
         "END\nset style data histograms\nset style fill solid\nset yrange [0:100]\nset ylabel 'remaining weights, %'\n"
         "set xtics rotate noenhanced\nplot $layers using 2:xtic(1) notitle\n";
}

}  // namespace

void plot_ratios(std::vector<layer_ratio> const& layers, std::filesystem::path const& path) {
  auto const ending = path.extension();
  bool const gnuplot = ending == ".gp" || ending == ".gnuplot";
  if (!gnuplot && ending != ".svg") refuse("a plot is written as .svg or .gp, not as \"", path.string(), '"');
  auto const text = gnuplot ? as_gnuplot(layers) : as_svg(layers);
  lnpt::io::atomic_file file(path);
  file.write(std::as_bytes(std::span(text)));
  file.commit();
}

}  // namespace cli
