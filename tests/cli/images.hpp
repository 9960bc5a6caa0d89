#pragma once
/// Files of images for the command line.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <lnpt/io/safetensors_writer.hpp>

namespace cli_test {

/// So many images of two classes in a file, 3 x 8 x 8, with pixels that begin at `first`. Gives back its name.
inline std::string write_images(std::filesystem::path const& path, std::size_t count, std::size_t first) {
  std::vector<std::uint8_t> pixels(count * 3 * 8 * 8);
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>((first + 37 * i) % 251);
  std::vector<std::int64_t> labels;
  for (std::size_t i = 0; i < count; ++i) labels.push_back(static_cast<std::int64_t>(i % 2));
  lnpt::io::safetensors::writer writer;
  writer.add("input", {count, 3, 8, 8}, pixels);
  writer.add("labels", {count}, labels);
  writer.save(path);
  return path.string();
}

}  // namespace cli_test
