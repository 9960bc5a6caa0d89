// Scoring in float.
#include "scoring_definitions.hpp"

namespace cli {
template lnpt::score_set<lnpt::cpu::array<float>> score_in_rounds(cpu_network<float>&,
                                                                  scoring_data<lnpt::cpu::array<float>> const&,
                                                                  pruning_spec const&);
template lnpt::prune_result prune_network(cpu_network<float>&, scoring_data<lnpt::cpu::array<float>> const&, pruning_spec const&);
}  // namespace cli
