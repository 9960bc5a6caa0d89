#pragma once
/// Operators that pool.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <lnpt/io/exported_program/operators/weights.hpp>
#include <lnpt/io/exported_program/reading.hpp>
#include <lnpt/nn/arithmetic.hpp>
#include <lnpt/nn/flatten.hpp>
#include <lnpt/nn/pool.hpp>
#include <lnpt/nn/rearrange.hpp>

namespace lnpt::io::exported {

namespace detail {

/// The result is the mean of each plane; whether as a matrix or as an image of one pixel, its readers say.
template <class Backend>
void give_pooled(reading<Backend>& r, call const& from, std::string const& x, shape const& extents) {
  auto const source = r.image_of(x);
  r.bind(r.result_of(from), {.is = value::kind::pooled, .at = source, .extents = extents});
}

/// The window of a pooling operator.
template <class Backend>
[[nodiscard]] typename Backend::pool_window window_of(call const& from, bool line) {
  auto const kernel = two_numbers(from, "kernel_size", {}, line);
  auto const stride = from.integers("stride", {}).empty() ? kernel : two_numbers(from, "stride", {}, line);
  auto const padding = two_numbers(from, "padding", {0}, line);
  if (padding.h > kernel.h / 2 || padding.w > kernel.w / 2)
    refuse("pads windows of ", kernel, " by ", padding, ", which must be at most half of them");
  if (auto const dilation = two_numbers(from, "dilation", {1}, line); dilation != per_axis{1})
    refuse("pools with a dilation of ", dilation);
  return {kernel, stride, margins{padding.h, padding.w}, from.flag("ceil_mode", false), from.flag("count_include_pad", true)};
}

/// The axes of pixels that an operator goes over, ascending, the batch counted.
[[nodiscard]] inline std::vector<std::int64_t> pixel_axes(call const& from, shape const& extents) {
  auto axes = from.integers("dim", {});
  auto const rank = static_cast<std::int64_t>(extents.size()) + 1;
  for (auto& axis : axes) axis += axis < 0 ? rank : 0;
  std::ranges::sort(axes);
  auto const pixels = std::ranges::all_of(axes, [&](auto axis) { return axis >= 2 && axis < rank; });
  if (axes.empty() || !pixels || std::ranges::adjacent_find(axes) != axes.end())
    refuse("goes over axes ", list(axes), " of ", extents.size() == 1 ? "features" : "an image", ", which are not its pixels");
  return axes;
}

}  // namespace detail

template <class Backend>
void read_max_pool(reading<Backend>& r, call const& from) {
  auto const x = from.tensor("self");
  auto const input = r.image_of(x);
  r.give(from, x,
         nn::max_pool<typename Backend::pool_window>{input, detail::window_of<Backend>(from, r.at(x).extents.size() == 2)});
}

template <class Backend>
void read_average_pool(reading<Backend>& r, call const& from) {
  auto const x = from.tensor("self");
  auto const input = r.image_of(x);
  auto const window = detail::window_of<Backend>(from, r.at(x).extents.size() == 2);
  if (from.has("divisor_override")) refuse("pools with a divisor of its own");
  auto const& image = r.network().shapes()[input];
  if (window.kernel == per_axis{image[2], image[3]} && window.padding == margins{0})
    return detail::give_pooled(r, from, x, r.claimed(r.result_of(from)));
  r.give(from, x, nn::average_pool<typename Backend::pool_window>{input, window});
}

/// To one pixel, to as many as there are, or to a divisor of them.
template <class Backend>
void read_adaptive_average_pool(reading<Backend>& r, call const& from) {
  auto const x = from.tensor("self");
  auto const& extents = r.at(x).extents;
  auto const to = r.claimed(r.result_of(from));
  if (to == extents) return r.alias(from, x);
  if (to.size() != extents.size() || to.size() < 2) refuse("pools ", list(extents), " to ", list(to));
  if (only_channels(to) && to.front() == extents.front()) return detail::give_pooled(r, from, x, to);
  per_axis const size{to.size() == 2 ? 1 : to.at(1), to.back()};
  auto const input = r.image_of(x);
  auto const& image = r.network().shapes()[input];
  if (size.h == 0 || size.w == 0 || image[2] % size.h != 0 || image[3] % size.w != 0)
    refuse("pools an image of shape ", list(extents), " to ", list(to), " in windows that overlap");
  r.give(from, x, nn::adaptive_average_pool<typename Backend::pool_window>{input, size});
}

/// The largest value of each plane.
template <class Backend>
void read_largest(reading<Backend>& r, call const& from) {
  auto const x = from.tensor("self");
  auto const extents = r.at(x).extents;
  auto const result = r.result_of(from);
  auto const to = r.claimed(result);
  if (extents.size() < 2 || !only_channels(to) || to.front() != extents.front())
    refuse("takes the largest of windows that its result, ", list(to), ", does not tell");
  if (plain_name(from.target()) == "amax") (void)detail::pixel_axes(from, extents);
  auto const input = r.image_of(x);
  auto const& image = r.network().shapes()[input];
  typename Backend::pool_window const whole{per_axis{image[2], image[3]}, per_axis{image[2], image[3]}};
  auto const name = r.node_name(from);
  auto node = r.network().add(name, nn::max_pool<typename Backend::pool_window>{input, whole});
  if (to.size() == 1) node = r.network().add(name, nn::flatten{node});
  r.bind(result, {.is = value::kind::node, .at = node, .extents = to});
}

/// The mean over all pixels, or over the rows or columns of an image.
template <class Backend>
void read_mean(reading<Backend>& r, call const& from) {
  auto const x = from.tensor("self");
  auto const extents = r.at(x).extents;
  auto const to = r.claimed(r.result_of(from));
  if (auto const axes = detail::pixel_axes(from, extents); axes.size() + 1 == extents.size()) {
    if (!only_channels(to) || to.front() != extents.front()) refuse("takes means to shape ", list(to));
    detail::give_pooled(r, from, x, to);
  } else {
    per_axis const whole = axes.front() == 2 ? per_axis{extents[1], 1} : per_axis{1, extents[2]};
    typename Backend::pool_window const window{whole, whole};
    auto const name = r.node_name(from);
    auto node = r.network().add(name, nn::average_pool<typename Backend::pool_window>{r.image_of(x), window});
    if (to.size() == 2) node = r.network().add(name, nn::unflatten{r.network().add(name, nn::flatten{node}), per_axis{1, to[1]}});
    r.give_node(from, node, to.size() == 2);
  }
}

/// The sum over all pixels: as many times their mean.
template <class Backend>
void read_sum(reading<Backend>& r, call const& from) {
  auto const x = from.tensor("self");
  auto const extents = r.at(x).extents;
  auto const to = r.claimed(r.result_of(from));
  if (detail::pixel_axes(from, extents).size() + 1 != extents.size()) refuse("sums rows or columns of an image");
  auto const count = static_cast<double>(element_count(extents)) / static_cast<double>(extents.front());
  auto const mean = to.size() == 1 ? r.network().add("global_average_pool", nn::global_average_pool{r.image_of(x)})
                                   : r.network().add("adaptive_average_pool",
                                                     nn::adaptive_average_pool<typename Backend::pool_window>{r.image_of(x), 1});
  r.give_node(from, r.network().add(r.node_name(from), nn::affine_constant{mean, count, 0}), to.size() == 2);
}

}  // namespace lnpt::io::exported
