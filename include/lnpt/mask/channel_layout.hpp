#pragma once
/// Where the weights of one output channel lie in a row-major parameter.
#include <cstddef>

#include <lnpt/core/error.hpp>
#include <lnpt/mask/strategy.hpp>

namespace lnpt::detail {

/// The axes before, at and after the output axis. A channel is `outer` runs of `inner` weights; its row has `row()` of them.
struct channel_layout {
  std::size_t outer = 1;
  std::size_t channels = 1;
  std::size_t inner = 1;

  [[nodiscard]] std::size_t row() const { return outer * inner; }

  /// The flat index of the i-th weight of a channel's row.
  [[nodiscard]] std::size_t index(std::size_t channel, std::size_t i) const {
    return (i / inner * channels + channel) * inner + i % inner;
  }

  /// Calls `visit(begin, end)` for the runs of a channel's row, as flat indices.
  template <class Visit>
  void for_each_run(std::size_t channel, Visit&& visit) const {
    for (auto begin = channel * inner; begin < outer * channels * inner; begin += channels * inner) visit(begin, begin + inner);
  }
};

template <class T>
[[nodiscard]] channel_layout layout_of(scored_parameter<T> const& parameter) {
  auto const axes = parameter.extents.size();
  if (parameter.output_axis >= axes)
    fail(parameter.name, " has the shape ", list(parameter.extents), " and no axis ", parameter.output_axis,
         ": let output_axis be less than ", axes);
  channel_layout layout;
  for (std::size_t axis = 0; axis < axes; ++axis) {
    auto& part = axis < parameter.output_axis ? layout.outer : axis == parameter.output_axis ? layout.channels : layout.inner;
    part *= parameter.extents[axis];
  }
  return layout;
}

}  // namespace lnpt::detail
