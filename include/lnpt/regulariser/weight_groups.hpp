#pragma once
/// The groups that regularisers drive to zero together.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/core/parameter.hpp>
#include <lnpt/core/shape.hpp>
#include <lnpt/core/tensor.hpp>
#include <lnpt/mask/channel_layout.hpp>

namespace lnpt {

/// What counts as one group of a weight: each weight alone, all weights of an output, or all of an input (of the inputs in one place of
/// their groups, where a convolution has groups).
enum class weight_group { element, output, input };

namespace detail {

/// Refuses a model without prunable weights for what acts on those alone.
template <class T>
void require_prunable_weights(std::vector<parameter<T>> const& parameters, std::string_view what) {
  if (std::ranges::none_of(parameters, [](auto const& p) { return is_prunable(p.role); }))
    fail_request(
        what, " acts on the weights of convolutions and linear layers, and the model has none that can be pruned: leave it out");
}

/// The group of every weight of one parameter, and the norm of every group.
class grouped_weights {
 public:
  template <class T>
  grouped_weights(std::vector<double> const& weights, parameter<T> const& p, weight_group by) : group_(weights.size()) {
    auto const extents = shape_of(*p.value);
    switch (by) {
      case weight_group::element: number_elements(); break;
      case weight_group::output: number_channels({p.name, extents, p.output_axis, p.output_groups}); break;
      case weight_group::input: number_inputs({p.name, extents, input_axis_of(p.output_axis), 1}); break;
    }
    for (std::size_t i = 0; i < weights.size(); ++i) norms_[group_[i]] += weights[i] * weights[i];
    for (auto& each : norms_) each = std::sqrt(each);
  }

  [[nodiscard]] std::vector<double> const& norms() const { return norms_; }
  /// ‖w_g‖ of the group that weight i is in.
  [[nodiscard]] double norm_at(std::size_t i) const { return norms_[group_[i]]; }
  /// Weights per group.
  [[nodiscard]] std::size_t size() const { return norms_.empty() ? 0 : group_.size() / norms_.size(); }

 private:
  /// The axis that is numbered, as `layout_of` reads it.
  struct numbered_axis {
    std::string const& name;
    shape const& extents;
    std::size_t output_axis, output_groups;
  };

  [[nodiscard]] static std::size_t input_axis_of(std::size_t output_axis) {
    return output_axis == unknown_axis ? unknown_axis : output_axis == 0 ? 1 : 0;
  }

  void number_elements() {
    norms_.resize(group_.size());
    std::iota(group_.begin(), group_.end(), std::size_t{0});
  }
  void number_channels(numbered_axis const& along) {
    auto const layout = layout_of(along);
    norms_.resize(layout.channels);
    for (std::size_t c = 0; c < layout.channels; ++c)
      layout.for_each_run(c, [&](std::size_t begin, std::size_t end) {
        for (auto i = begin; i < end; ++i) group_[i] = c;
      });
  }

  void number_inputs(numbered_axis const& along) {
    if (along.extents.size() > 1)
      number_channels(along);
    else
      norms_.resize(1);  // a vector reads one
  }

  std::vector<std::size_t> group_;
  std::vector<double> norms_;
};

}  // namespace detail

}  // namespace lnpt
