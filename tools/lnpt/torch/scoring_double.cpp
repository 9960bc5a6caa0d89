// Scoring on LibTorch in double.
#include <lnpt/torch/model.hpp>

#include "../scoring_definitions.hpp"

namespace cli {
template lnpt::score_set<lnpt::torch_tensor<double>> score_in_rounds(lnpt::torch_model<double>&,
                                                                     scoring_data<lnpt::torch_tensor<double>> const&,
                                                                     pruning_spec const&);
template lnpt::prune_result prune_network(lnpt::torch_model<double>&, scoring_data<lnpt::torch_tensor<double>> const&,
                                          pruning_spec const&);
}  // namespace cli
