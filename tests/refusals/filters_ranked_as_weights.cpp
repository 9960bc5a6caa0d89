// expect: this criterion scores whole filters
#include <lnpt/criterion/filter_norm.hpp>
#include <lnpt/lnpt.hpp>

#include "support.hpp"

auto f(weights_only& model) { return lnpt::prune<lnpt::filter_norm<>>(model, {.budget = lnpt::sparsity{0.5}}); }
