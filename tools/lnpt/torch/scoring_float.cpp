// Scoring on LibTorch in float.
#include <lnpt/torch/model.hpp>

#include "../scoring_definitions.hpp"

namespace cli {
template lnpt::score_set<lnpt::torch_tensor<float>> score_in_rounds(lnpt::torch_model<float>&,
                                                                    scoring_data<lnpt::torch_tensor<float>> const&,
                                                                    pruning_spec const&);
template lnpt::prune_result prune_network(lnpt::torch_model<float>&, scoring_data<lnpt::torch_tensor<float>> const&,
                                          pruning_spec const&);
}  // namespace cli
