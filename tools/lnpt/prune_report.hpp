#pragma once
/// What pruning by scores left of every layer, in words and as JSON.
#include <nlohmann/json.hpp>

#include <lnpt/mask/report.hpp>

namespace cli {

[[nodiscard]] nlohmann::ordered_json as_json(lnpt::prune_report const& report);
void print_report(lnpt::prune_report const& report);

}  // namespace cli
