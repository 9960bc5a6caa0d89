#pragma once
/// Arithmetic between arrays of which one is stretched along the axes where its extent is 1, such as a gate per sample and channel.
#include <algorithm>
#include <cstddef>

#include <lnpt/backend/cpu/channels.hpp>
#include <lnpt/backend/cpu/layout.hpp>
#include <lnpt/backend/cpu/parallel.hpp>
#include <lnpt/backend/cpu/strided_walk.hpp>
#include <lnpt/core/error.hpp>

namespace lnpt::cpu {

namespace detail {

/// The strides of an operand that stretches to a shape: 0 along the axes where it has an extent of 1.
[[nodiscard]] inline shape stretched_strides(shape const& operand, shape const& to) {
  bool const fits = operand.size() == to.size() && std::equal(operand.begin(), operand.end(), to.begin(),
                                                              [](auto own, auto whole) { return own == whole || own == 1; });
  if (!fits) fail("an array of shape ", list(operand), " does not stretch to ", list(to), "; pass extents that are equal or 1");
  auto strides = contiguous_strides(operand);
  for (std::size_t axis = 0; axis < to.size(); ++axis)
    if (operand[axis] == 1) strides[axis] = 0;
  return strides;
}

/// out[i] = f(a, b) over a run.
template <class T, class F>
void combine_run(T const* a, std::size_t step_a, T const* b, std::size_t step_b, T* out, std::size_t n, F f) {
  if (step_a != 0 && step_b != 0)
    for (std::size_t i = 0; i < n; ++i) out[i] = f(out[i], a[i], b[i]);
  else if (step_a != 0)
    for (std::size_t i = 0; i < n; ++i) out[i] = f(out[i], a[i], *b);
  else
    for (std::size_t i = 0; i < n; ++i) out[i] = f(out[i], *a, b[i * step_b]);
}

/// Σ a·b over a run, in double.
template <class T>
[[nodiscard]] double dot_run(T const* a, std::size_t step_a, T const* b, std::size_t step_b, std::size_t n) {
  if (step_a != 0 && step_b != 0) return run_sums<false, true, T>(a, b, nullptr, n).dot;
  if (step_a != 0) return run_sums<false, false, T>(a, nullptr, nullptr, n).sum * static_cast<double>(*b);
  if (step_b != 0) return run_sums<false, false, T>(b, nullptr, nullptr, n).sum * static_cast<double>(*a);
  return static_cast<double>(n) * static_cast<double>(*a) * static_cast<double>(*b);
}

}  // namespace detail

/// out = x ⊙ y, or out += x ⊙ y, either stretched where its extent is 1.
template <class T>
void product(array<T> const& x, array<T> const& y, array<T>& out, bool accumulate) {
  auto const xs = detail::extents_of(x);
  auto const ys = detail::extents_of(y);
  auto const extents = broadcast_shape(xs, ys);
  if (!accumulate) out.resize(extents);
  if (detail::extents_of(out) != extents)
    fail("product: adding to an array of shape ", list(out.shape()), "; pass one of shape ", list(extents));
  detail::strided_walk<2> const walk(extents, {detail::stretched_strides(xs, extents), detail::stretched_strides(ys, extents)});
  walk.for_each([&](auto const& at, std::size_t first, std::size_t n) {
    auto const run = [&](auto f) {
      detail::combine_run(x.data() + at[0], walk.steps()[0], y.data() + at[1], walk.steps()[1], out.data() + first, n, f);
    };
    if (accumulate)
      run([](T sum, T a, T b) { return sum + a * b; });
    else
      run([](T, T a, T b) { return a * b; });
  });
}

/// out = Σ x ⊙ y over the axes along which `extents` is 1: what `product` does to the gradient of its smaller factor.
template <class T>
void product_sum(array<T> const& x, array<T> const& y, shape const& extents, array<T>& out, bool accumulate) {
  auto const xs = detail::extents_of(x);
  auto const ys = detail::extents_of(y);
  auto const all = broadcast_shape(xs, ys);
  if (extents == all) return product(x, y, out, accumulate);
  if (!accumulate) out = filled<T>(extents, T{0});
  auto const strides = [&](shape const& of) { return detail::stretched_strides(of, all); };
  detail::strided_walk<3> const walk(all, {strides(xs), strides(ys), strides(extents)});
  auto const add_run = [&, steps = walk.steps()](std::size_t run) {
    auto const [step_x, step_y, step_out] = steps;
    auto const at = walk.at(run);
    auto* const to = out.data() + at[2];
    if (step_out == 0)
      *to += static_cast<T>(detail::dot_run(x.data() + at[0], step_x, y.data() + at[1], step_y, walk.length()));
    else
      detail::combine_run(x.data() + at[0], step_x, y.data() + at[1], step_y, to, walk.length(),
                          [](T sum, T a, T b) { return sum + a * b; });
  };
  // Tasks share no element of the result where its first axis is a whole one; otherwise one task adds everything.
  auto const tasks = extents[0] == all[0] && walk.runs() % all[0] == 0 ? all[0] : 1;
  auto const per_task = walk.runs() / tasks;
  auto const together = std::max<std::size_t>(1, streaming_grain / std::max<std::size_t>(1, per_task * walk.length()));
  for_chunks(tasks, together, [&](std::size_t begin, std::size_t end) {
    for (auto run = begin * per_task; run < end * per_task; ++run) add_run(run);
  });
}

/// x stretched to a shape.
template <class T>
[[nodiscard]] array<T> broadcast(array<T> const& x, shape const& extents) {
  auto result = uninitialized<T>(extents);
  detail::strided_walk<1> const walk(extents, {detail::stretched_strides(detail::extents_of(x), extents)});
  walk.for_each([&](auto const& at, std::size_t first, std::size_t n) {
    auto const* const from = x.data() + at[0];
    auto* const to = result.data() + first;
    if (walk.steps()[0] == 0)
      std::fill_n(to, n, *from);
    else
      std::copy_n(from, n, to);
  });
  return result;
}

/// The sum of x over the axes along which `extents` is 1: the adjoint of `broadcast`.
template <class T>
[[nodiscard]] array<T> sum_to(array<T> const& x, shape const& extents) {
  array<T> result;
  product_sum(x, filled<T>(shape(extents.size(), 1), T{1}), extents, result, false);
  return result;
}

}  // namespace lnpt::cpu
