#pragma once
/// What tells two data sets of one name and size apart.
#include <map>
#include <string>

#include <lnpt/io/image_set.hpp>

namespace cli {

struct data_options;

/// The names under which runs keep what their images are called, and the digest of these.
inline constexpr char const* data_setting = "data";
inline constexpr char const* digest_setting = "digest";

/// A number that changes with any image or label of a data set, but not with where it lies.
[[nodiscard]] std::string digest_of(lnpt::io::data_set const& data);

/// Notes in the settings of a run which images it is on: their kind, what normalises them, how many there are, and their digest.
void note_images(std::map<std::string, std::string>& settings, data_options const& from, lnpt::io::data_set const& data);

}  // namespace cli
