#pragma once
/// The fully connected layer.
#include <lnpt/nn/pass.hpp>

namespace lnpt::nn {

/// y = x wᵀ + b, x [N, F], w [O, F]. Reverse: ∂x = ∂y w, ∂w = ∂yᵀ x, ∂b = Σ_n ∂y.
struct linear {
  std::size_t input;
  std::size_t weight;
  std::optional<std::size_t> bias;
  static constexpr bool runs_on_kept_weights = true;

  [[nodiscard]] links inputs() const { return {input}; }
  [[nodiscard]] links parameters() const { return bias ? links{weight, *bias} : links{weight}; }
  [[nodiscard]] shape output_shape(std::vector<shape> const& nodes, std::vector<shape> const& parameters) const {
    return {nodes[input][0], parameters[weight][0]};
  }

  template <class A>
  void forward(forward_pass<A> const& pass, node_state<A>& state) const {
    state.output = pass.algebra.linear_product(pass.output(input), pass.parameters[weight]);
    if (bias) state.output = pass.algebra.add_row(state.output, pass.parameters[*bias]);
  }

  template <class A>
  void reverse(reverse_pass<A>& pass, node_state<A> const&, typename A::tensor const& gy) const {
    auto const& w = pass.parameters[weight];
    if (pass.wants_gradient(weight)) pass.give_gradient(weight, pass.algebra.linear_weight_gradient(pass.output(input), gy, w));
    if (bias && pass.wants_gradient(*bias)) pass.give_gradient(*bias, pass.algebra.column_sums(gy));
    if (pass.wants(input)) pass.give(input, pass.algebra.linear_input_gradient(gy, w));
  }
};

}  // namespace lnpt::nn
