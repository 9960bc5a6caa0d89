// Scoring on a GPU in float.
#include <lnpt/cudnn.hpp>

#include "../scoring_definitions.hpp"

namespace cli {
using gpu_network = lnpt::network<lnpt::cudnn::backend<float>>;
template lnpt::score_set<lnpt::cudnn::array<float>> score_in_rounds(gpu_network&, scoring_data<lnpt::cudnn::array<float>> const&,
                                                                    pruning_spec const&);
template lnpt::prune_result prune_network(gpu_network&, scoring_data<lnpt::cudnn::array<float>> const&, pruning_spec const&);
}  // namespace cli
