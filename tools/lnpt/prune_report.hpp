#pragma once
/// What pruning by scores left of every layer, in words and as JSON.
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include <lnpt/mask/mask_set.hpp>
#include <lnpt/mask/report.hpp>

namespace cli {

/// Warns of layers of which one channel stays, through which everything has to pass.
[[nodiscard]] std::vector<std::string> narrow_layers(lnpt::mask_set const& masks);

[[nodiscard]] nlohmann::ordered_json as_json(lnpt::prune_report const& report);
void print_report(lnpt::prune_report const& report);

}  // namespace cli
