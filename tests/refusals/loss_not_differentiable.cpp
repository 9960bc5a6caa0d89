// expect: this criterion differentiates through the loss, which this tensor type cannot
#include <lnpt/lnpt.hpp>

#include "../../examples/host_engine.hpp"

struct second_order : host::perceptron {
  template <class Rule>
  lnpt::gradients<host::matrix> retained_backward(trace& t, Rule const& rule, lnpt::which_gradients which);
  template <class Rule>
  lnpt::gradients<host::matrix> hessian_vector_product(trace& t, Rule const& rule, lnpt::gradients<host::matrix> const& v);
};
auto f(second_order& model, lnpt::labelled_batch<host::matrix> const& batch) {
  return lnpt::prune<lnpt::grasp>(model, batch, {.budget = lnpt::sparsity{0.95}});
}
