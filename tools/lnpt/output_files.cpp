#include "output_files.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string_view>
#include <system_error>

#include <lnpt/io/byte_source.hpp>
#include <lnpt/io/file_ending.hpp>
#include <lnpt/io/safetensors.hpp>
#include <lnpt/io/zip/archive.hpp>

#include "chart.hpp"
#include "html_page.hpp"
#include "misuse.hpp"
#include "ratio_plot.hpp"

namespace cli {

namespace {

/// What an output of this kind is called.
char const* name_of(named_file const& output) {
  switch (output.kind) {
    case file_kind::tensors: return lnpt::io::has_ending(output.path, ".pt2") ? "an exported program" : "a safetensors file";
    case file_kind::checkpoint: return "a checkpoint of training";
    case file_kind::description: return "the description of a network";
    case file_kind::onnx: return "an ONNX file of lnpt";
    case file_kind::page: return "a page of lnpt";
    case file_kind::plot: break;
  }
  return "a figure of lnpt";
}

bool is_safetensors(std::string const& path, bool checkpoint) {
  try {
    auto const file = lnpt::io::safetensors::open(path);
    return !checkpoint || file.metadata().contains("epoch");
  } catch (lnpt::error const&) {
    return false;
  }
}

/// Whether PyTorch could have exported it: an archive with the graph of a model.
bool is_program(std::string const& path) {
  try {
    lnpt::io::zip::archive const archive(lnpt::io::byte_source::open(path));
    return std::ranges::any_of(archive.entries(), [](auto const& each) { return each.name.ends_with("/models/model.json"); });
  } catch (lnpt::error const&) {
    return false;
  }
}

bool is_description(std::string const& path) {
  std::ifstream file(path);
  auto const found = nlohmann::json::parse(file, nullptr, false);
  return found.is_object() && found.contains("lnpt_network");
}

/// Whether the file is what lnpt writes as an output of that kind, as far as its first bytes say.
bool is_of_kind(named_file const& output) {
  std::array<char, 2048> bytes{};
  std::ifstream file(output.path, std::ios::binary);
  file.read(bytes.data(), bytes.size());
  std::string_view const begin(bytes.data(), static_cast<std::size_t>(file.gcount()));
  switch (output.kind) {
    case file_kind::tensors:
      return is_safetensors(output.path, false) || (lnpt::io::has_ending(output.path, ".pt2") && is_program(output.path));
    case file_kind::checkpoint: return is_safetensors(output.path, true);
    case file_kind::description: return is_description(output.path);
    case file_kind::onnx:  // a message that begins with its version, and then says its producer
      return begin.starts_with('\x08') && begin.substr(0, 32).find("lnpt") != begin.npos;
    case file_kind::page: return begin.find(page_title_begins) != begin.npos;
    case file_kind::plot: break;
  }
  return begin.starts_with(chart_begins) || begin.starts_with(gnuplot_begins);
}

/// Refuses an output `path` into a folder that is there and takes no file.
void require_writable(char const* option, std::string const& path, std::filesystem::path const& folder) {
  if (::access(folder.c_str(), W_OK | X_OK) != 0)
    refuse(option, " is ", path, ", and the folder ", folder.string(), " takes no new file: name one that can be written");
}

/// Refuses an output into a folder that is not there or takes no file.
void require_folder_of(named_file const& output) {
  auto const folder = std::filesystem::absolute(output.path).parent_path();
  std::error_code unknown;
  if (!std::filesystem::is_directory(folder, unknown))
    refuse(output.option, " is ", output.path, ", and there is no folder ", folder.string(), ": make it, or name another file");
  require_writable(output.option, output.path, folder);
}

}  // namespace

bool are_one_file(std::string const& a, std::string const& b) {
  if (a.empty() || b.empty()) return false;
  std::error_code ignored;
  // A name of which nothing is there yet stays relative unless it is made absolute first.
  auto const whole = [](std::string const& name) { return std::filesystem::weakly_canonical(std::filesystem::absolute(name)); };
  return std::filesystem::equivalent(a, b, ignored) || whole(a) == whole(b);
}

void require_output(named_file const& output, std::vector<named_file> const& others) {
  if (output.path.empty()) return;
  std::error_code unknown;
  auto const there = std::filesystem::status(output.path, unknown);
  if (std::filesystem::is_directory(there) || output.path.ends_with('/'))
    refuse(output.option, " is one file, and ", output.path, " is a folder: name a file in it");
  if (std::filesystem::exists(there) && !std::filesystem::is_regular_file(there))
    refuse(output.option, " is ", output.path, ", a device or a pipe, whose place a file would take: name a file");
  require_folder_of(output);
  for (auto const& other : others)
    if (are_one_file(output.path, other.path))
      refuse(output.option, " and ", other.option, " are both ", output.path, ", of which one would be lost: name two files");
  auto const holds_something = std::filesystem::exists(there) && std::filesystem::file_size(output.path, unknown) > 0;
  if (holds_something && !is_of_kind(output))
    refuse(output.option, " is ", output.path, ", where a file lies that is not ", name_of(output),
           " and would be lost: name another file, or remove that one");
}

void require_output_folder(char const* option, std::filesystem::path const& folder) {
  auto nearest = std::filesystem::absolute(folder).lexically_normal();
  std::error_code unknown;
  while (!std::filesystem::exists(nearest, unknown) && nearest.has_relative_path()) nearest = nearest.parent_path();
  if (!std::filesystem::is_directory(nearest, unknown))
    refuse(option, " is the folder ", folder.string(), ", and ", nearest.string(), " is a file: name another folder");
  require_writable(option, folder.string(), nearest);
}

}  // namespace cli
