#pragma once
/// lnpt prune --checkpoint: files to files, without an architecture.
#include <CLI/CLI.hpp>
#include <string>

#include "checkpoint_choice.hpp"
#include "criterion.hpp"

namespace cli {

/// The flags of pruning that only stored weights have.
struct checkpoint_options : checkpoint_choice {
  bool replace = false;

  void describe(CLI::App& command);
};

/// What the flags that both ways of pruning share say to this one.
struct checkpoint_request {
  criterion_kind criterion;
  std::string mask;
  double density;  ///< below 0: not given
  std::uint64_t seed;
  std::string out;
  bool json;
};

void prune_checkpoint(checkpoint_options const& o, checkpoint_request const& asked);

}  // namespace cli
