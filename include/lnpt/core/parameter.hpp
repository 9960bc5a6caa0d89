#pragma once
/// What a model shows of itself: its parameters and its buffers, by name and role.
#include <cstddef>
#include <string>

#include <lnpt/core/tensor.hpp>

namespace lnpt {

/// What a parameter is for. Only `weight` and `classifier_weight` (of convolutions and linear layers) are ever pruned;
/// the outputs of a classifier are classes, so structured pruning never removes them. `leaf` and `constant` are a
/// parameter and a buffer that are joined with images as they are: no mask covers them, since others may be divided by them.
enum class role { weight, classifier_weight, bias, norm_scale, norm_shift, running_mean, running_variance, leaf, constant };

[[nodiscard]] constexpr bool is_prunable(role r) { return r == role::weight || r == role::classifier_weight; }

/// The output axis of a weight of which nothing says how its axes meet the input.
inline constexpr std::size_t unknown_axis = static_cast<std::size_t>(-1);

/// A view of one parameter or buffer of a model; valid while the model lives and does not move.
template <class T>
struct parameter {
  std::string name;  ///< PyTorch's, so that a state_dict loads by name
  T* value;          ///< the model's own tensor
  lnpt::role role = lnpt::role::weight;
  std::size_t output_axis = 0;  ///< the axis that counts output channels, or unknown_axis
  std::size_t output_groups =
      1;  ///< how often it counts them: once for each group of a transposed convolution [in, out/groups, …]
};

}  // namespace lnpt
