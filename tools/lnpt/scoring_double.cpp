// Scoring in double.
#include "scoring_definitions.hpp"

namespace cli {
template lnpt::score_set<lnpt::cpu::array<double>> score_in_rounds(cpu_network<double>&,
                                                                   scoring_data<lnpt::cpu::array<double>> const&,
                                                                   pruning_spec const&);
template lnpt::prune_result prune_network(cpu_network<double>&, scoring_data<lnpt::cpu::array<double>> const&,
                                          pruning_spec const&);
}  // namespace cli
