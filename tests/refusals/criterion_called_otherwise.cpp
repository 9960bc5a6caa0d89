// expect: this criterion cannot be called with the evidence it lists
#include <lnpt/criterion/snip.hpp>
#include <lnpt/prune.hpp>

#include "support.hpp"

struct two_of_one {
  using evidence = lnpt::evidence_list<lnpt::weight>;
  auto operator()(auto const& theta, auto const& g) const { return theta * g; }
};
auto f(gradients_only& model, lnpt::labelled_batch<array> const& batch) {
  return lnpt::prune<two_of_one>(model, batch, {.budget = lnpt::sparsity{0.95}});
}
