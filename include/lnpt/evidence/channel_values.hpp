#pragma once
/// One value per output channel, shared out among the channel's weights.
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include <lnpt/core/model.hpp>
#include <lnpt/mask/channel_layout.hpp>

namespace lnpt::detail {

/// The output channels of a parameter.
template <class T>
[[nodiscard]] channel_layout layout_of(parameter<T> const& p) {
  struct {
    std::string const& name;
    shape extents;
    std::size_t output_axis, output_groups;
  } const view{p.name, shape_of(*p.value), p.output_axis, p.output_groups};
  return layout_of(view);
}

/// A tensor in the shape of a parameter in which the weights of output channel c have the sum values[c], in equal shares: channels that
/// accumulate their weights' scores by sum are ranked by these values.
template <class T>
[[nodiscard]] T shared_out(parameter<T> const& p, std::span<double const> values) {
  auto const layout = layout_of(p);
  std::vector<value_type<T>> shares(size_of(*p.value));
  for (std::size_t c = 0; c < layout.channels; ++c)
    layout.for_each_run(c, [&](std::size_t begin, std::size_t end) {
      for (auto i = begin; i < end; ++i) shares[i] = static_cast<value_type<T>>(values[c] / static_cast<double>(layout.row()));
    });
  return make_tensor<T>(shape_of(*p.value), shares, *p.value);
}

}  // namespace lnpt::detail
