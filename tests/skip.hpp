#pragma once
/// How a test case says that it could not run here. ctest then shows the whole executable as skipped.
#include <iostream>
#include <string_view>

/// Whether a test case of this executable was skipped.
inline bool& skipped() {
  static bool any = false;
  return any;
}

/// Notes the reason; the test case returns right after.
///
///     if (!shared) return skip("LNPT_SHARED_DIR is not set");
inline void skip(std::string_view reason) {
  std::cout << "skipped: " << reason << '\n';
  skipped() = true;
}
