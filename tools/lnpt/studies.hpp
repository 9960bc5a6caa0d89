#pragma once
/// The studies of `lnpt study`.
#include <CLI/CLI.hpp>

namespace cli {

void add_pretraining_study(CLI::App& study);
void add_trainability_study(CLI::App& study);
void add_merging_study(CLI::App& study);

}  // namespace cli
