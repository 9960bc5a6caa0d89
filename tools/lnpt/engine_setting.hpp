#pragma once
/// How files tell which engine a run is on, and how it multiplies.
#include <string>

namespace cli {

inline constexpr char const* engine_setting = "engine";
inline constexpr char const* execution_setting = "execution";
/// What files mean that were written before an engine, or an execution, could be chosen.
inline constexpr char const* first_engine = "cpu";
inline constexpr char const* first_execution = "automatic";

/// What a file means that does not mention a setting.
[[nodiscard]] inline std::string unsaid(std::string const& setting) {
  if (setting == engine_setting) return first_engine;
  if (setting == execution_setting) return first_execution;
  return {};
}

}  // namespace cli
