// expect: this loss says what it needs but lacks value() or cotangent()
#include <lnpt/criterion/snip.hpp>
#include <lnpt/prune.hpp>

#include "support.hpp"

struct half_loss {
  static constexpr lnpt::loss_needs needs{};
};
auto f(gradients_only& model, lnpt::unlabelled_batch<array> const& batch) {
  return lnpt::prune<lnpt::snip>(model, batch, half_loss{}, {.budget = lnpt::sparsity{0.95}});
}
