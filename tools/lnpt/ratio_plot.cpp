#include "ratio_plot.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <iterator>
#include <span>

#include <lnpt/io/atomic_file.hpp>
#include <lnpt/io/file_ending.hpp>

#include "chart.hpp"
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

std::string as_svg(std::vector<layer_ratio> const& layers) {
  std::vector<std::string> names;
  chart_series remaining{.name = "remaining weights"};
  for (auto const& layer : layers) {
    auto const percent = 100 * layer.remaining;
    remaining.points.push_back({percent, static_cast<double>(names.size()), percent, percent});
    names.push_back(layer.name);
  }
  return standalone_svg(row_chart({"remaining", "Remaining weights per layer", "remaining weights, %", "layer"}, names,
                                  {remaining}, axis_kind::linear));
}

std::string as_gnuplot(std::vector<layer_ratio> const& layers) {
  auto script = std::string(gnuplot_begins) + "\n$layers << END\n";
  for (auto const& layer : layers) script += fmt::format("\"{}\" {:.4f}\n", layer.name, 100 * layer.remaining);
  return script +
         "END\nset style data histograms\nset style fill solid\nset yrange [0:100]\nset ylabel 'remaining weights, %'\n"
         "set xtics rotate noenhanced\nplot $layers using 2:xtic(1) notitle\n";
}

bool is_script(std::filesystem::path const& path) {
  return lnpt::io::has_ending(path.string(), ".gp") || lnpt::io::has_ending(path.string(), ".gnuplot");
}

}  // namespace

void require_plot(std::filesystem::path const& path) {
  if (!is_script(path) && !lnpt::io::has_ending(path.string(), ".svg"))
    refuse("a plot is written as .svg or .gp, not as \"", path.string(), '"');
}

void plot_ratios(std::vector<layer_ratio> const& layers, std::filesystem::path const& path) {
  require_plot(path);
  auto const text = is_script(path) ? as_gnuplot(layers) : as_svg(layers);
  lnpt::io::atomic_file file(path);
  file.write(std::as_bytes(std::span(text)));
  file.commit();
}

}  // namespace cli
