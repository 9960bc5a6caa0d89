// expect: this criterion needs data
#include <lnpt/lnpt.hpp>

#include "support.hpp"

auto f(gradients_only& model) { return lnpt::prune<lnpt::snip>(model, {.budget = lnpt::sparsity{0.95}}); }
