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

/// A tensor in the shape of a parameter in which the weights of output channel c have the sum values[c]: channels that accumulate their
/// weights' scores by sum are ranked by these values. Weights that are not 0 have equal shares, and those that are have none, as pruned
/// weights, whose scores no channel accumulates; where all are 0 all share.
template <class T>
[[nodiscard]] T shared_out(parameter<T> const& p, std::span<double const> values) {
  auto const layout = layout_of(p);
  std::vector<value_type<T>> shares(size_of(*p.value));
  auto const weights = values_of(*p.value);
  for (std::size_t c = 0; c < layout.channels; ++c) {
    std::size_t living = 0;
    layout.for_each_run(c, [&](std::size_t begin, std::size_t end) {
      for (auto i = begin; i < end; ++i) living += weights[i] != 0;
    });
    auto const share = static_cast<value_type<T>>(values[c] / static_cast<double>(living == 0 ? layout.row() : living));
    layout.for_each_run(c, [&](std::size_t begin, std::size_t end) {
      for (auto i = begin; i < end; ++i) shares[i] = living == 0 || weights[i] != 0 ? share : 0;
    });
  }
  return make_tensor<T>(shape_of(*p.value), shares, *p.value);
}

}  // namespace lnpt::detail
