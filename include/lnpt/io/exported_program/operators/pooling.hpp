#pragma once
/// Operators that pool.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <lnpt/io/exported_program/operators/weights.hpp>
#include <lnpt/io/exported_program/reading.hpp>
#include <lnpt/nn/pool.hpp>

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
  auto const kernel = two_numbers(from, from.integers("kernel_size", {}), line, 1);
  auto const strides = from.integers("stride", {});
  auto const stride = strides.empty() ? kernel : two_numbers(from, strides, line, 1);
  auto const padding = two_numbers(from, from.integers("padding", {0}), line, 0);
  if (auto const dilation = two_numbers(from, from.integers("dilation", {1}), line, 1); dilation != per_axis{1})
    refuse("pools with a dilation of ", dilation);
  return {kernel, stride, margins{padding.h, padding.w}, from.flag("ceil_mode", false), from.flag("count_include_pad", true)};
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

/// The mean over all pixels.
template <class Backend>
void read_mean(reading<Backend>& r, call const& from) {
  auto const x = from.tensor("self");
  auto const& extents = r.at(x).extents;
  auto axes = from.integers("dim", {});
  for (auto& axis : axes) axis += axis < 0 ? static_cast<std::int64_t>(extents.size()) + 1 : 0;
  std::ranges::sort(axes);
  auto const all_pixels = extents.size() == 3 ? std::vector<std::int64_t>{2, 3} : std::vector<std::int64_t>{2};
  if (extents.size() < 2 || axes != all_pixels) refuse("takes means over axes ", list(axes), " of an image");
  auto const to = r.claimed(r.result_of(from));
  if (!only_channels(to) || to.front() != extents.front()) refuse("takes means to shape ", list(to));
  detail::give_pooled(r, from, x, to);
}

}  // namespace lnpt::io::exported
