#pragma once
/// In what the settings of two runs differ, and how that is said.
#include <map>
#include <optional>
#include <string>

namespace cli {

/// The settings of a run by name, as files hold them.
using run_settings = std::map<std::string, std::string>;

/// What a run's settings mean by this name, also where they do not mention it.
[[nodiscard]] std::string setting_of(run_settings const& settings, std::string const& name);

/// The first setting in which two runs differ, if there is one: the digests of their images and
/// network files only where all else is the same, and the name of such a file nowhere.
[[nodiscard]] std::optional<std::string> differing_setting(run_settings const& a, run_settings const& b);

/// The setting that names the images whose digest this one is; nothing where it is no digest.
[[nodiscard]] std::optional<std::string> data_of_digest(std::string const& setting);

/// How a run was begun that cannot go on as it is asked for now, as in "with lr 0.1 and not 0.05", "on other images than a.safetensors holds
/// now" or "of another network than net.pt2 holds now"; nothing where the settings are the same.
[[nodiscard]] std::optional<std::string> difference_in_words(run_settings const& held, run_settings const& asked);

}  // namespace cli
