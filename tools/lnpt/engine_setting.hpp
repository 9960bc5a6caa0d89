#pragma once
/// How files tell which engine a run is on, how it multiplies, and what they mean that do not say.
#include <string>

#include "data_digest.hpp"

namespace cli {

inline constexpr char const* engine_setting = "engine";
inline constexpr char const* execution_setting = "execution";
inline constexpr char const* precision_setting = "precision";
/// What files mean that were written before an engine, an execution, or a precision could be chosen.
inline constexpr char const* first_engine = "cpu";
inline constexpr char const* first_execution = "automatic";
inline constexpr char const* first_precision = "float";

/// The network of a run as it was named, and the digest of the file that holds it.
inline constexpr char const* network_setting = "arch";
inline constexpr char const* network_digest_setting = "arch-digest";

/// What the students of a comparison learn from.
inline constexpr char const* learn_from_setting = "learn-from";
inline constexpr char const* learn_from_teacher = "teacher";
inline constexpr char const* learn_from_labels = "labels";

/// How a comparison chooses the images that criteria score on.
inline constexpr char const* sample_setting = "sample-by";

/// Where the students of a comparison start.
inline constexpr char const* start_setting = "start";
inline constexpr char const* start_fresh = "fresh";

/// What a file means that does not mention a setting.
[[nodiscard]] inline std::string unsaid(std::string const& setting) {
  if (setting == engine_setting) return first_engine;
  if (setting == execution_setting) return first_execution;
  if (setting == precision_setting) return first_precision;
  if (setting == learn_from_setting) return learn_from_teacher;
  if (setting == start_setting) return start_fresh;
  return {};
}

/// Whether a file that does not mention a setting goes together with this value of it: of images and networks, files that keep no digest
/// say nothing.
[[nodiscard]] inline bool may_go_unsaid(std::string const& setting, std::string const& value) {
  return setting == digest_setting || setting == network_digest_setting || value == unsaid(setting);
}

}  // namespace cli
