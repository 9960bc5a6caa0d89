#pragma once
/// Outputs that cannot be written, or would replace one another or what is only read: refused before the work that they are to hold.
#include <unistd.h>

#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "misuse.hpp"

namespace cli {

/// A file and the option that named it.
struct named_file {
  char const* option;
  std::string path;  ///< empty: not given
};

/// Whether two names are of one file, be it there yet or not.
[[nodiscard]] inline bool are_one_file(std::string const& a, std::string const& b) {
  if (a.empty() || b.empty()) return false;
  std::error_code ignored;
  // A name of which nothing is there yet stays relative unless it is made absolute first.
  auto const whole = [](std::string const& name) { return std::filesystem::weakly_canonical(std::filesystem::absolute(name)); };
  return std::filesystem::equivalent(a, b, ignored) || whole(a) == whole(b);
}

/// Refuses an output into a folder that is not there or takes no file.
inline void require_folder_of(named_file const& output) {
  if (output.path.empty()) return;
  auto const folder = std::filesystem::absolute(output.path).parent_path();
  std::error_code unknown;
  if (!std::filesystem::is_directory(folder, unknown))
    refuse(output.option, " is ", output.path, ", and there is no folder ", folder.string(), ": make it, or name another file");
  if (::access(folder.c_str(), W_OK | X_OK) != 0)
    refuse(output.option, " is ", output.path, ", and the folder ", folder.string(),
           " takes no new file: name one that can be written");
}

/// Refuses an output whose folder takes no file, that is a folder itself, or also one of the other files, of which one would be lost.
inline void require_output(named_file const& output, std::vector<named_file> const& others) {
  std::error_code unknown;
  if (!output.path.empty() && (std::filesystem::is_directory(output.path, unknown) || output.path.ends_with('/')))
    refuse(output.option, " is one file, and ", output.path, " is a folder: name a file in it");
  if (auto const there = std::filesystem::status(output.path, unknown);
      !output.path.empty() && std::filesystem::exists(there) && !std::filesystem::is_regular_file(there))
    refuse(output.option, " is ", output.path, ", a device or a pipe, whose place a file would take: name a file");
  require_folder_of(output);
  for (auto const& other : others)
    if (are_one_file(output.path, other.path))
      refuse(output.option, " and ", other.option, " are both ", other.path, ", of which one would be lost: name two files");
}

}  // namespace cli
