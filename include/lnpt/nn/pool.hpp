#pragma once
/// Pooling layers.
#include <lnpt/core/window.hpp>
#include <lnpt/nn/pass.hpp>

namespace lnpt::nn {

/// The maximum of each window; its gradient goes to where the maximum was.
template <class Window>
struct max_pool {
  std::size_t input;
  Window window;

  [[nodiscard]] links inputs() const { return {input}; }
  [[nodiscard]] links parameters() const { return {}; }
  [[nodiscard]] shape output_shape(std::vector<shape> const& nodes) const { return window.out_shape(nodes[input]); }

  template <class A>
  void forward(forward_pass<A> const& pass, node_state<A>& state) const {
    std::tie(state.output, state.chosen) = pass.algebra.max_pool(pass.output(input), window);
  }
  template <class A>
  void reverse(reverse_pass<A>& pass, node_state<A> const& state, typename A::tensor const& gy) const {
    if (pass.wants(input)) pass.give(input, pass.algebra.scatter_pool(gy, state.chosen, pass.extents_of(input)));
  }
};

/// The mean of each window.
template <class Window>
struct average_pool {
  std::size_t input;
  Window window;

  [[nodiscard]] links inputs() const { return {input}; }
  [[nodiscard]] links parameters() const { return {}; }
  [[nodiscard]] shape output_shape(std::vector<shape> const& nodes) const { return window.out_shape(nodes[input]); }

  template <class A>
  void forward(forward_pass<A> const& pass, node_state<A>& state) const {
    state.output = pass.algebra.average_pool(pass.output(input), window);
  }
  template <class A>
  void reverse(reverse_pass<A>& pass, node_state<A> const&, typename A::tensor const& gy) const {
    if (pass.wants(input)) pass.give(input, pass.algebra.average_pool_adjoint(gy, window, pass.extents_of(input)));
  }
};

/// The means in windows without overlap that leave an image of this size: its extents divide those of the input.
template <class Window>
struct adaptive_average_pool {
  std::size_t input;
  per_axis size;

  [[nodiscard]] links inputs() const { return {input}; }
  [[nodiscard]] links parameters() const { return {}; }
  [[nodiscard]] shape output_shape(std::vector<shape> const& nodes) const {
    return window_on(nodes[input]).out_shape(nodes[input]);
  }

  template <class A>
  void forward(forward_pass<A> const& pass, node_state<A>& state) const {
    auto const& x = pass.output(input);
    state.output = pass.algebra.average_pool(x, window_on(pass.extents(x)));
  }
  template <class A>
  void reverse(reverse_pass<A>& pass, node_state<A> const&, typename A::tensor const& gy) const {
    if (!pass.wants(input)) return;
    auto const extents = pass.extents_of(input);
    pass.give(input, pass.algebra.average_pool_adjoint(gy, window_on(extents), extents));
  }

 private:
  [[nodiscard]] Window window_on(shape const& x) const {
    if (x.size() != 4 || size.h == 0 || size.w == 0 || x[2] % size.h != 0 || x[3] % size.w != 0)
      fail("adaptive average pooling of ", list(x), " to ", size,
           ": the windows would overlap; pass extents that divide the image's");
    per_axis const step{x[2] / size.h, x[3] / size.w};
    return {step, step};
  }
};

/// The mean of each image plane, as a feature matrix [N, C].
struct global_average_pool {
  std::size_t input;

  [[nodiscard]] links inputs() const { return {input}; }
  [[nodiscard]] links parameters() const { return {}; }
  [[nodiscard]] shape output_shape(std::vector<shape> const& nodes) const { return {nodes[input][1], nodes[input][0]}; }

  template <class A>
  void forward(forward_pass<A> const& pass, node_state<A>& state) const {
    state.output = pass.algebra.global_average_pool(pass.output(input));
  }
  template <class A>
  void reverse(reverse_pass<A>& pass, node_state<A> const&, typename A::tensor const& gy) const {
    if (pass.wants(input)) pass.give(input, pass.algebra.global_average_pool_adjoint(gy, pass.extents_of(input)));
  }
};

}  // namespace lnpt::nn
