#pragma once
/// The version of the library; CMake reads it here, so that it is written once.
#include <string_view>

#define LNPT_VERSION_MAJOR 0
#define LNPT_VERSION_MINOR 1
#define LNPT_VERSION_PATCH 0

#define LNPT_QUOTE_VERSION_(major, minor, patch) #major "." #minor "." #patch
#define LNPT_QUOTE_VERSION(major, minor, patch) LNPT_QUOTE_VERSION_(major, minor, patch)

namespace lnpt {

/// As in `0.1.0`.
inline constexpr std::string_view version = LNPT_QUOTE_VERSION(LNPT_VERSION_MAJOR, LNPT_VERSION_MINOR, LNPT_VERSION_PATCH);

}  // namespace lnpt

#undef LNPT_QUOTE_VERSION
#undef LNPT_QUOTE_VERSION_
