#pragma once
/// lnpt score --checkpoint: how the scores of stored weights are spread.
#include "checkpoint_choice.hpp"

namespace cli {

/// What the other flags of the command say.
struct checkpoint_scoring {
  criterion_kind criterion;
  std::uint64_t seed;
  bool json;
};

void score_checkpoint(checkpoint_choice const& o, checkpoint_scoring const& asked);

}  // namespace cli
