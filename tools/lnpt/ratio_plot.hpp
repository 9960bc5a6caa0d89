#pragma once
/// What is left of every layer, as a picture: in the terminal, as SVG or as a gnuplot script.
#include <filesystem>
#include <string>
#include <vector>

namespace cli {

/// One layer and the fraction of its weights that is left.
struct layer_ratio {
  std::string name;
  double remaining = 0;
};

/// A bar of at most `width` cells, to an eighth of a cell.
[[nodiscard]] std::string bar(double fraction, std::size_t width = 20);

/// How such a script begins.
inline constexpr char const* gnuplot_begins = "# gnuplot -p FILE";

/// Refuses the name of a file that is neither a picture nor a script.
void require_plot(std::filesystem::path const& path);

/// Writes the ratios in the order of the layers: an SVG picture, or a script for gnuplot where the name ends in .gp or .gnuplot. Refuses
/// any other ending.
void plot_ratios(std::vector<layer_ratio> const& layers, std::filesystem::path const& path);

}  // namespace cli
