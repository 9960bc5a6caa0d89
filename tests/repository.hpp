#pragma once
/// Where the files lie that belong to a test and are no code.
#include <cstdlib>
#include <filesystem>

namespace test {

/// The root of the repository, as CTest says; where a test runs without it, from the compiler's name of this file, which is no path
/// on this machine where compilers are told to leave folders out of it.
[[nodiscard]] inline std::filesystem::path repository() {
  if (auto const* const root = std::getenv("LNPT_REPOSITORY")) return root;
  return std::filesystem::path(__FILE__).parent_path().parent_path();
}

}  // namespace test
