#pragma once
/// What tells two networks apart that files of one name held.
#include <string>

#include "settings_difference.hpp"

namespace cli {

/// What of a network's file decides a run: its layers alone, or its weights, too.
enum class network_part { layers, weights_too };

/// Notes in the settings of a run which network it is on: as it was named and, where that is a file, by a digest of what it holds.
void note_network(run_settings& settings, std::string const& arch, network_part part = network_part::layers);

}  // namespace cli
