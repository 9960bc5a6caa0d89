#pragma once
/// Operators that leave every number as it is: other names, other shapes, channels in another order.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include <lnpt/core/shape.hpp>
#include <lnpt/core/window.hpp>
#include <lnpt/io/dtype.hpp>
#include <lnpt/io/exported_program/reading.hpp>
#include <lnpt/io/exported_program/stored_tensor.hpp>
#include <lnpt/nn/flatten.hpp>
#include <lnpt/nn/pool.hpp>
#include <lnpt/nn/rearrange.hpp>

namespace lnpt::io::exported {

/// The same tensor under another name.
template <class Backend>
void read_identity(reading<Backend>& r, call const& from) {
  r.alias(from, from.first_tensor());
}

/// A copy, which in-place operators on the original do not reach.
template <class Backend>
void read_copy(reading<Backend>& r, call const& from) {
  auto copy = r.at(from.first_tensor());
  copy.storage = 0;
  r.bind(r.result_of(from), std::move(copy));
}

/// The same numbers in another type; integers would cut them.
template <class Backend>
void read_conversion(reading<Backend>& r, call const& from) {
  if (auto const* const type = from.first("as_scalar_type")) {
    auto const to = dtype_numbered(detail::read_integer(*type));
    if (!to || (*to != dtype::f16 && *to != dtype::bf16 && *to != dtype::f32 && *to != dtype::f64))
      refuse("converts to a type without fractions");
  }
  read_copy(r, from);
}

namespace detail {

/// Whether a shape is that of an image whose channels are split in two: {first, second, H, W}.
[[nodiscard]] inline bool splits_channels(shape const& split, shape const& image) {
  return split.size() == image.size() + 1 && split[0] * split[1] == image[0] &&
         std::equal(split.begin() + 2, split.end(), image.begin() + 1);
}

template <class Backend>
void flatten(reading<Backend>& r, call const& from, std::string const& x) {
  auto const& v = r.at(x);
  auto const source = v.is == value::kind::pooled ? v.at : r.node_of(x);
  auto const name = r.node_name(from);
  r.give_node(from, v.is == value::kind::pooled ? r.network().add(name, nn::global_average_pool{source})
                                                : r.network().add(name, nn::flatten{source}));
}

}  // namespace detail

/// view, reshape, flatten, squeeze and unsqueeze, told apart by what the graph says about their results.
template <class Backend>
void read_reshape(reading<Backend>& r, call const& from) {
  auto const x = from.first_tensor();
  auto const v = r.at(x);
  if (v.is == value::kind::nothing) return r.alias(from, x);
  if (r.is_held(x)) return r.alias(from, x, r.whole(r.result_of(from)));
  auto const to = r.claimed(r.result_of(from));
  if (v.extents.empty() || to.empty() || element_count(v.extents) != element_count(to))
    refuse("takes shape ", list(v.extents), " per sample to ", list(to));
  auto const same_image = [](shape const& a, shape const& b) {  // [C, L] and [C, 1, L] are one
    return a.size() == 2 && b.size() == 3 && a[0] == b[0] && b[1] == 1;
  };
  auto const one_pixel = only_channels(v.extents) && only_channels(to) && to.front() == v.extents.front();
  if (v.is == value::kind::shuffling) {
    if (v.groups == 0 || to.size() + 1 != v.extents.size() || !detail::splits_channels(v.extents, to))
      refuse("takes shape ", list(v.extents), " in the middle of a shuffle to ", list(to));
    return r.give_node(from, r.network().add(r.node_name(from), nn::channel_shuffle{v.at, v.groups}), to.size() == 2);
  }
  if (to == v.extents || same_image(to, v.extents) || same_image(v.extents, to) ||
      (one_pixel && to.size() > 1 && v.extents.size() > 1))
    return r.alias(from, x, to);
  if (to.size() == 1) return detail::flatten(r, from, x);
  if (v.extents.size() == 1)
    return r.give_node(
        from, r.network().add(r.node_name(from), nn::unflatten{r.node_of(x), per_axis{to.size() == 2 ? 1 : to.at(1), to.back()}}),
        to.size() == 2);
  if (detail::splits_channels(to, v.extents)) {
    auto shuffling = v;
    shuffling.is = value::kind::shuffling;
    shuffling.at = r.node_of(x);
    shuffling.extents = to;
    return r.bind(r.result_of(from), std::move(shuffling));
  }
  if (to.size() > 3) refuse("takes shape ", list(v.extents), " per sample to ", list(to));
  // Samples as they lie in PyTorch's memory, read in another shape.
  auto const row = r.network().add(r.node_name(from), nn::flatten{r.node_of(x)});
  per_axis const size{to.size() == 2 ? 1 : to[1], to.back()};
  r.give_node(from, r.network().add(r.node_name(from), nn::unflatten{row, size}), to.size() == 2);
}

/// A value repeated along axes where it has an extent of 1.
template <class Backend>
void read_expand(reading<Backend>& r, call const& from) {
  auto const x = from.tensor("self");
  if (r.is_held(x)) return r.alias(from, x);  // what it is joined with stretches it, too
  auto to = r.claimed(r.result_of(from));
  auto const& extents = r.at(x).extents;
  if (to == extents) return r.alias(from, x);
  auto const fits = [](std::size_t own, std::size_t whole) { return own == whole || own == 1; };
  if (to.size() != extents.size() || !std::ranges::equal(extents, to, fits)) refuse("repeats ", list(extents), " to ", list(to));
  r.bind(r.result_of(from), {.is = value::kind::stretched, .at = r.joined_node_of(x), .extents = std::move(to)});
}

namespace detail {

/// Where each axis of the result of t, transpose or permute comes from.
[[nodiscard]] inline std::vector<std::int64_t> order_of_axes(call const& from, std::int64_t rank) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(rank));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  auto const axis = [rank](std::int64_t a) { return a < 0 ? a + rank : a; };
  if (from.has("dims")) {
    order = from.integers("dims", {});
    for (auto& a : order) a = axis(a);
  } else {
    auto const first = axis(from.integer("dim0", 0));
    auto const second = axis(from.integer("dim1", 1));
    if (first < 0 || second < 0 || first >= rank || second >= rank) refuse("exchanges axes that are not there");
    std::swap(order[static_cast<std::size_t>(first)], order[static_cast<std::size_t>(second)]);
  }
  return order;
}

}  // namespace detail

/// The exchange of the two axes into which a shuffle splits channels, or of rows and columns of a matrix of weights.
template <class Backend>
void read_transpose(reading<Backend>& r, call const& from) {
  auto v = r.at(from.tensor("self"));
  if (v.is == value::kind::tensor && v.extents.size() == 2) {
    if (v.extents != r.tensor_of(from.tensor("self")).extents)
      refuse("exchanges axes of a tensor that another operator has reshaped");
    if (detail::order_of_axes(from, 2) != std::vector<std::int64_t>{1, 0})
      refuse("exchanges axes of weights, but for rows and columns");
    v.is = value::kind::transposed;
    std::swap(v.extents[0], v.extents[1]);
    return r.bind(r.result_of(from), std::move(v));
  }
  auto const order = detail::order_of_axes(from, static_cast<std::int64_t>(v.extents.size()) + 1);
  auto exchanged = v.is == value::kind::shuffling && v.groups == 0 && order.size() == v.extents.size() + 1;
  for (std::size_t i = 0; exchanged && i < order.size(); ++i)
    exchanged = order[i] == static_cast<std::int64_t>(i == 1 ? 2 : i == 2 ? 1 : i);
  if (!exchanged) refuse("exchanges axes, but for the two of a channel shuffle");
  v.groups = v.extents[0];
  std::swap(v.extents[0], v.extents[1]);
  r.bind(r.result_of(from), std::move(v));
}

}  // namespace lnpt::io::exported
