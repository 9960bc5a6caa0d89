// expect: this is not a schedule
#include <lnpt/criterion/magnitude.hpp>
#include <lnpt/prune.hpp>

#include "support.hpp"

struct halves {};
auto f(gradients_only& model) {
  return lnpt::prune<lnpt::magnitude, lnpt::global_unstructured, halves>(model, {.budget = lnpt::sparsity{0.95}});
}
