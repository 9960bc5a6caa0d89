#pragma once
/// Where the weights of one output channel lie in a row-major parameter.
#include <cstddef>

#include <lnpt/core/error.hpp>
#include <lnpt/core/parameter.hpp>
#include <lnpt/mask/strategy.hpp>

namespace lnpt::detail {

/// The axes before, at and after the output axis. A channel is some runs of `inner` weights; its row has `row()` of them. Where the axes
/// before are in groups, each block of them has output channels of its own.
struct channel_layout {
  std::size_t outer = 1;
  std::size_t channels = 1;  ///< of all groups
  std::size_t inner = 1;
  std::size_t groups = 1;

  [[nodiscard]] std::size_t row() const { return runs() * inner; }

  /// The flat index of the i-th weight of a channel's row.
  [[nodiscard]] std::size_t index(std::size_t channel, std::size_t i) const { return run(channel, i / inner) + i % inner; }

  /// Calls `visit(begin, end)` for the runs of a channel's row, as flat indices.
  template <class Visit>
  void for_each_run(std::size_t channel, Visit&& visit) const {
    for (std::size_t k = 0; k < runs(); ++k) visit(run(channel, k), run(channel, k) + inner);
  }

 private:
  [[nodiscard]] std::size_t runs() const { return outer / groups; }
  /// Where the k-th run of a channel begins.
  [[nodiscard]] std::size_t run(std::size_t channel, std::size_t k) const {
    auto const extent = channels / groups;
    return ((channel / extent * runs() + k) * extent + channel % extent) * inner;
  }
};

/// The layout of a scored parameter. Any view with its name, extents, output axis and output groups will do.
template <class Parameter>
[[nodiscard]] channel_layout layout_of(Parameter const& parameter) {
  auto const axes = parameter.extents.size();
  if (parameter.output_axis == unknown_axis)
    fail("which axis of ", parameter.name, ' ', list(parameter.extents),
         " counts output channels is not known, since it meets its input in an einsum or in another layout than its own: remove "
         "single weights, freeze it, or compute it by a linear layer or a convolution");
  if (parameter.output_axis >= axes)
    fail(parameter.name, " has the shape ", list(parameter.extents), " and no axis ", parameter.output_axis,
         ": let output_axis be less than ", axes);
  channel_layout layout{.groups = parameter.output_groups};
  for (std::size_t axis = 0; axis < axes; ++axis) {
    auto& part = axis < parameter.output_axis ? layout.outer : axis == parameter.output_axis ? layout.channels : layout.inner;
    part *= parameter.extents[axis];
  }
  if (layout.groups == 0 || layout.outer % layout.groups != 0)
    fail(parameter.name, " has the shape ", list(parameter.extents), ", whose axes before axis ", parameter.output_axis,
         " are not ", layout.groups, " equal groups: let output_groups divide them");
  layout.channels *= layout.groups;
  return layout;
}

}  // namespace lnpt::detail
