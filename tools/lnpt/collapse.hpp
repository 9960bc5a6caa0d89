#pragma once
/// What masks let nothing through, in words.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <string>

#include <lnpt/mask/mask_set.hpp>
#include <lnpt/structure/channel_map.hpp>
#include <lnpt/structure/dead_paths.hpp>

namespace cli {

/// Names the layers that masks let nothing through; empty where there are none.
[[nodiscard]] inline std::string collapse_in_words(lnpt::channel_map const& map, lnpt::mask_set const& masks) {
  auto const layers = lnpt::dead_paths_of(map, masks).collapsed();
  if (layers.empty()) return {};
  return fmt::format("the masks let nothing through {}, so that training cannot reach what lies behind", fmt::join(layers, ", "));
}

}  // namespace cli
