// expect: this model is const. Scoring runs it
#include <lnpt/lnpt.hpp>

#include "support.hpp"

auto f(weights_only const& model) { return lnpt::prune<lnpt::magnitude>(model, {.budget = lnpt::sparsity{0.5}}); }
