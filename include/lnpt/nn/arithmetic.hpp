#pragma once
/// Products, differences and quotients of two nodes, of which one may be a gate, and arithmetic with constants.
#include <lnpt/core/activation_function.hpp>
#include <lnpt/nn/pass.hpp>

namespace lnpt::nn {

/// z = x ⊙ y; ∂x = y ⊙ ∂z, ∂y = x ⊙ ∂z, summed over what was stretched: an extent of 1 stretches to the other node's, so that y may be a
/// gate [C, N, 1, 1] per sample and channel or [C, 1, 1, 1] per channel.
///
/// SynFlow follows products too: scores are those of the definition, and R counts a gated path once for the gate and once for what passes.
struct multiply {
  std::size_t first, second;

  [[nodiscard]] links inputs() const { return {first, second}; }
  [[nodiscard]] links parameters() const { return {}; }
  [[nodiscard]] shape output_shape(std::vector<shape> const& nodes) const { return broadcast_shape(nodes[first], nodes[second]); }

  template <class A>
  void forward(forward_pass<A> const& pass, node_state<A>& state) const {
    state.output = pass.algebra.product(pass.output(first), pass.output(second));
  }
  template <class A>
  void reverse(reverse_pass<A>& pass, node_state<A> const&, typename A::tensor const& gz) const {
    give_share(pass, first, second, gz);
    give_share(pass, second, first, gz);
  }

 private:
  template <class A>
  static void give_share(reverse_pass<A>& pass, std::size_t to, std::size_t other, typename A::tensor const& gz) {
    if (pass.wants(to)) pass.give(to, pass.algebra.product_sum(pass.output(other), gz, pass.extents_of(to)));
  }
};

/// z = x − y, either stretched as in a product.
///
/// SynFlow is refused where the difference makes a flow negative.
struct subtract {
  std::size_t first, second;

  [[nodiscard]] links inputs() const { return {first, second}; }
  [[nodiscard]] links parameters() const { return {}; }
  [[nodiscard]] shape output_shape(std::vector<shape> const& nodes) const { return broadcast_shape(nodes[first], nodes[second]); }

  template <class A>
  void forward(forward_pass<A> const& pass, node_state<A>& state) const {
    auto const negative = pass.algebra.scale(pass.output(second), -1);
    auto const extents = broadcast_shape(pass.extents(pass.output(first)), pass.extents(negative));
    state.output = pass.algebra.add(pass.stretched(pass.output(first), extents), pass.stretched(negative, extents));
  }
  template <class A>
  void reverse(reverse_pass<A>& pass, node_state<A> const&, typename A::tensor const& gz) const {
    if (pass.wants(first)) pass.give(first, pass.summed(gz, pass.extents_of(first)));
    if (pass.wants(second)) pass.give(second, pass.algebra.scale(pass.summed(gz, pass.extents_of(second)), -1));
  }
};

/// z = x ⊙ 1/y; ∂x = ∂z ⊙ 1/y, ∂y = −∂z ⊙ x ⊙ 1/y², either stretched as in a product.
///
/// SynFlow is refused: more flow through a divisor is less through the network.
struct divide {
  std::size_t first, second;

  [[nodiscard]] links inputs() const { return {first, second}; }
  [[nodiscard]] links parameters() const { return {}; }
  [[nodiscard]] shape output_shape(std::vector<shape> const& nodes) const { return broadcast_shape(nodes[first], nodes[second]); }

  template <class A>
  void forward(forward_pass<A> const& pass, node_state<A>& state) const {
    state.output = pass.algebra.product(pass.output(first), pass.algebra.activate(pass.output(second), reciprocal));
  }
  template <class A>
  void reverse(reverse_pass<A>& pass, node_state<A> const&, typename A::tensor const& gz) const {
    auto const& x = pass.output(first);
    auto const& y = pass.output(second);
    if (pass.wants(first)) pass.give(first, pass.algebra.product_sum(pass.algebra.activate(y, reciprocal), gz, pass.extents(x)));
    if (pass.wants(second))
      pass.give(second, pass.algebra.activation_slope(y, pass.algebra.product_sum(x, gz, pass.extents(y)), reciprocal));
  }

 private:
  static constexpr activation_function reciprocal{activation_kind::reciprocal};
};

/// y = a x + b with two numbers; ∂x = a ∂y.
struct affine_constant {
  std::size_t input;
  double factor = 1;
  double offset = 0;

  static constexpr bool restorable = true;

  [[nodiscard]] links inputs() const { return {input}; }
  [[nodiscard]] links parameters() const { return {}; }
  [[nodiscard]] shape output_shape(std::vector<shape> const& nodes) const { return nodes[input]; }

  template <class A>
  void forward(forward_pass<A> const& pass, node_state<A>& state) const {
    restore(pass, state);
  }
  template <class Pass, class A>
  void restore(Pass const& pass, node_state<A>& state) const {
    state.output = pass.algebra.affine(pass.output(input), factor, offset);
  }
  template <class A>
  void reverse(reverse_pass<A>& pass, node_state<A> const&, typename A::tensor const& gy) const {
    if (pass.wants(input)) pass.give(input, factor == 1 ? gy : pass.algebra.scale(gy, factor));
  }
};

}  // namespace lnpt::nn
