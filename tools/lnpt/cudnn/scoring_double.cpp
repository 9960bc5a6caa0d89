// Scoring on a GPU in double.
#include <lnpt/cudnn.hpp>

#include "../scoring_definitions.hpp"

namespace cli {
using gpu_network = lnpt::network<lnpt::cudnn::backend<double>>;
template lnpt::score_set<lnpt::cudnn::array<double>> score_in_rounds(gpu_network&,
                                                                     scoring_data<lnpt::cudnn::array<double>> const&,
                                                                     pruning_spec const&);
template lnpt::prune_result prune_network(gpu_network&, scoring_data<lnpt::cudnn::array<double>> const&, pruning_spec const&);
}  // namespace cli
