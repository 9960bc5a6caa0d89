// expect: a bare number does not say whether it counts what is kept or what is removed
#include <lnpt/criterion/snip.hpp>
#include <lnpt/prune.hpp>

#include "support.hpp"

auto f(gradients_only& model, lnpt::labelled_batch<array> const& batch) { return lnpt::prune<lnpt::snip>(model, batch, 0.9); }
