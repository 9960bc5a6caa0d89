// expect: this tag of evidence says what it needs but not how it is gathered
#include <lnpt/prune.hpp>

#include "support.hpp"

struct age {
  static constexpr lnpt::evidence_needs needs{};
};
struct oldest {
  using evidence = lnpt::evidence_list<lnpt::weight, age>;
  auto operator()(auto const& theta, auto const& years) const { return theta * years; }
};
auto f(gradients_only& model) { return lnpt::prune<oldest>(model, {.budget = lnpt::sparsity{0.95}}); }
