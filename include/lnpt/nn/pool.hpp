#pragma once
/// Pooling layers.
#include <lnpt/nn/pass.hpp>

namespace lnpt::nn {

/// The maximum of each window; its gradient goes to where the maximum was.
template <class Window>
struct max_pool {
  std::size_t input;
  Window window;

  [[nodiscard]] links inputs() const { return {input}; }
  [[nodiscard]] links parameters() const { return {}; }

  template <class A>
  void forward(forward_pass<A> const& pass, node_state<A>& state) const {
    std::tie(state.output, state.chosen) = pass.algebra.max_pool(pass.output(input), window);
  }
  template <class A>
  void reverse(reverse_pass<A>& pass, node_state<A> const& state, typename A::tensor const& gy) const {
    if (pass.wants(input)) pass.give(input, pass.algebra.scatter_pool(gy, state.chosen, pass.extents(pass.output(input))));
  }
};

/// The mean of each window.
template <class Window>
struct average_pool {
  std::size_t input;
  Window window;

  [[nodiscard]] links inputs() const { return {input}; }
  [[nodiscard]] links parameters() const { return {}; }

  template <class A>
  void forward(forward_pass<A> const& pass, node_state<A>& state) const {
    state.output = pass.algebra.average_pool(pass.output(input), window);
  }
  template <class A>
  void reverse(reverse_pass<A>& pass, node_state<A> const&, typename A::tensor const& gy) const {
    if (pass.wants(input)) pass.give(input, pass.algebra.average_pool_adjoint(gy, window, pass.extents(pass.output(input))));
  }
};

/// The mean of each image plane, as a feature matrix [N, C].
struct global_average_pool {
  std::size_t input;

  [[nodiscard]] links inputs() const { return {input}; }
  [[nodiscard]] links parameters() const { return {}; }

  template <class A>
  void forward(forward_pass<A> const& pass, node_state<A>& state) const {
    state.output = pass.algebra.global_average_pool(pass.output(input));
  }
  template <class A>
  void reverse(reverse_pass<A>& pass, node_state<A> const&, typename A::tensor const& gy) const {
    if (pass.wants(input)) pass.give(input, pass.algebra.global_average_pool_adjoint(gy, pass.extents(pass.output(input))));
  }
};

}  // namespace lnpt::nn
