// expect: this criterion lists a type that is no tag of evidence
#include <lnpt/prune.hpp>

#include "support.hpp"

struct activation {};
struct wanda {
  using evidence = lnpt::evidence_list<lnpt::weight, activation>;
  auto operator()(auto const& theta, auto const& x) const { return theta * x; }
};
auto f(gradients_only& model, lnpt::unlabelled_batch<array> const& batch) {
  return lnpt::prune<wanda>(model, batch, {.budget = lnpt::sparsity{0.95}});
}
