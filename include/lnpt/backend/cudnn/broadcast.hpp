#pragma once
/// Products of arrays of which one stretches along the axes where its extent is 1, their sums over such axes, and the gradient of slopes.
#include <lnpt/backend/cudnn/activation.hpp>
#include <lnpt/backend/cudnn/channels.hpp>
#include <lnpt/backend/cudnn/conv2d.hpp>

namespace lnpt::cudnn {

namespace detail {

[[nodiscard]] inline storage storage_for(shape const& extents) {
  return extents.size() == 4 ? storage::images : storage::as_extents;
}

/// The strides of an operand that stretches to a shape: 0 along the axes where it has an extent of 1.
[[nodiscard]] inline shape stretched(shape const& operand, shape const& to) {
  bool const fits = operand.size() == to.size() && std::equal(operand.begin(), operand.end(), to.begin(),
                                                              [](auto own, auto whole) { return own == whole || own == 1; });
  if (!fits) fail("an array of shape ", list(operand), " does not stretch to ", list(to), "; pass extents that are equal or 1");
  auto strides = strides_of(operand, storage_for(operand));
  for (std::size_t i = 0; i < to.size(); ++i)
    if (operand[i] == 1) strides[i] = 0;
  return strides;
}

[[nodiscard]] inline std::vector<axis> axes_of(shape const& extents, shape const& x, shape const& y, shape const& out) {
  std::vector<axis> axes;
  for (std::size_t i = 0; i < extents.size(); ++i) axes.push_back({extents[i], x[i], y[i], out[i]});
  return axes;
}

/// The axes along which the result has an extent of 1, and the others.
struct summed_axes {
  std::vector<axis> outer, inner;

  summed_axes(std::vector<axis> const& all, shape const& result) {
    for (std::size_t i = 0; i < all.size(); ++i) (result[i] == 1 ? inner : outer).push_back(all[i]);
  }
};

template <class T>
void sum_stretched(array<T> const& x, array<T> const* y, shape const& all, shape const& result, array<T>& out, bool accumulate) {
  shape const none(all.size(), 0);
  auto const axes = axes_of(all, stretched(x.extents(), all), y ? stretched(y->extents(), all) : none, stretched(result, all));
  summed_axes const split(axes, result);
  auto const first = as_images(x);
  auto const second = y ? as_images(*y) : array<T>{};
  if (accumulate)
    out = as_images(out);
  else
    out = array<T>(result, storage_for(result));
  sum_products<T>(split.outer, split.inner, first.data(), second.data(), out.written(), 1, accumulate);
}

}  // namespace detail

/// out = x ⊙ y, or out += x ⊙ y.
template <class T>
void product(array<T> const& x, array<T> const& y, array<T>& out, bool accumulate) {
  auto const extents = broadcast_shape(x.extents(), y.extents());
  auto const how = detail::storage_for(extents);
  if (accumulate)
    detail::require_extents("product", out.extents(), extents);
  else
    out = array<T>(extents, how);
  auto const a = detail::as_images(x);
  auto const b = detail::as_images(y);
  out = detail::as_images(out);
  auto const axes = detail::axes_of(extents, detail::stretched(x.extents(), extents), detail::stretched(y.extents(), extents),
                                    detail::strides_of(extents, how));
  auto* const to = out.written();
  detail::runtime::current().for_each_element(detail::kernel_for<T>("product"), out.size(), detail::walk_of(axes), a.data(),
                                              b.data(), to, static_cast<int>(accumulate));
}

/// out = Σ x ⊙ y over the axes along which `extents` is 1.
template <class T>
void product_sum(array<T> const& x, array<T> const& y, shape const& extents, array<T>& out, bool accumulate) {
  auto const all = broadcast_shape(x.extents(), y.extents());
  if (extents == all) return product(x, y, out, accumulate);
  if (accumulate) detail::require_extents("product_sum", out.extents(), extents);
  detail::sum_stretched(x, &y, all, extents, out, accumulate);
}

/// x stretched to a shape.
template <class T>
[[nodiscard]] array<T> broadcast(array<T> const& x, shape const& extents) {
  auto const how = detail::storage_for(extents);
  array<T> y(extents, how);
  auto const from = detail::as_images(x);
  shape const none(extents.size(), 0);
  detail::spread<T>(detail::axes_of(extents, detail::stretched(x.extents(), extents), none, detail::strides_of(extents, how)),
                    from.data(), y.written());
  return y;
}

/// The sum of x over the axes along which `extents` is 1: the adjoint of `broadcast`.
template <class T>
[[nodiscard]] array<T> sum_to(array<T> const& x, shape const& extents) {
  array<T> result;
  detail::sum_stretched<T>(x, nullptr, x.extents(), extents, result, false);
  return result;
}

/// sums[c] = Σ g·v over the elements of a channel where the gate is not positive, or sums[0] over all; a's shape says which.
template <class T>
void prelu_sums(array<T> const& gate, array<T> const& v, array<T> const& g, shape const& a, array<T>& sums, bool accumulate) {
  detail::require_same_size("prelu_sums", gate, v);
  detail::require_same_size("prelu_sums", gate, g);
  detail::channel_runs const runs(gate.extents(), element_count(a));
  auto const open = detail::as_images(gate);
  auto const values = detail::as_images(v);
  auto const slopes = detail::as_images(g);
  channels const dot(runs.channels);
  detail::runtime::current().launch(detail::kernel_for<T>("channel_sums"), runs.channels, 256, slopes.data(), values.data(),
                                    open.data(), 1, static_cast<double*>(nullptr), dot.data(),
                                    static_cast<unsigned>(runs.samples), static_cast<unsigned>(runs.channels),
                                    static_cast<unsigned>(runs.pixels));
  detail::deliver("prelu_sums", vector<T>(dot).seen_as(a, storage::as_extents), sums, accumulate);
}

}  // namespace lnpt::cudnn
