#pragma once
/// What tells two data sets of one name and size apart.
#include <string>

#include <lnpt/io/image_set.hpp>

namespace cli {

/// The name under which runs keep the digest of their images.
inline constexpr char const* digest_setting = "digest";

/// A number that changes with any image or label of a data set, but not with where it lies.
[[nodiscard]] std::string digest_of(lnpt::io::data_set const& data);

}  // namespace cli
