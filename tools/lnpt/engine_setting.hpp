#pragma once
/// How files tell which engine a run is on.

namespace cli {

inline constexpr char const* engine_setting = "engine";
/// What files mean that were written before an engine could be chosen.
inline constexpr char const* first_engine = "cpu";

}  // namespace cli
