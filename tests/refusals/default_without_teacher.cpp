// expect: teacher_guided, the criterion where none is named, compares with a teacher, and there is none
#include <lnpt/lnpt.hpp>

#include "support.hpp"

auto f(gradients_only& model, lnpt::unlabelled_batch<array> const& batch) {
  return lnpt::prune(model, batch, {.budget = lnpt::sparsity{0.95}});
}
