#pragma once
/// Outputs that would replace one another, or what is only read.
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

/// Refuses an output that is a folder, or also one of the other files, of which one would be lost.
inline void require_distinct(named_file const& output, std::vector<named_file> const& others) {
  std::error_code unknown;
  if (!output.path.empty() && (std::filesystem::is_directory(output.path, unknown) || output.path.ends_with('/')))
    refuse(output.option, " is one file, and ", output.path, " is a folder: name a file in it");
  for (auto const& other : others)
    if (are_one_file(output.path, other.path))
      refuse(output.option, " and ", other.option, " are both ", other.path, ", of which one would be lost: name two files");
}

}  // namespace cli
