#pragma once
/// Running the built command line: LNPT_CLI names it.
#include <cstdlib>
#include <filesystem>
#include <string>
#include <sys/wait.h>

#include "../io/support.hpp"

namespace cli_test {

inline bool present() {
  auto const* const path = std::getenv("LNPT_CLI");
  return path && *path;
}

struct outcome {
  int status;
  std::string output, complaint;
};

/// Runs `lnpt` with these arguments, as a shell reads them.
inline outcome run(std::string const& arguments) {
  support::temporary_folder const folder;
  auto const output = folder / "out", complaint = folder / "err";
  auto const command =
      std::string(std::getenv("LNPT_CLI")) + ' ' + arguments + " > " + output.string() + " 2> " + complaint.string();
  auto const status = std::system(command.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, support::text_of(output), support::text_of(complaint)};
}

}  // namespace cli_test
