#pragma once
/// The groups that regularisers drive to zero together.
#include <cmath>
#include <cstddef>
#include <vector>

#include <lnpt/core/shape.hpp>

namespace lnpt {

/// What counts as one group of a weight [O, I, …]: each weight alone, all weights of an output, or all of an input.
enum class weight_group { element, output, input };

namespace detail {

/// The group of every weight of one parameter, and the norm of every group.
class grouped_weights {
 public:
  grouped_weights(std::vector<double> const& weights, shape const& extents, weight_group by) {
    auto const outputs = extents.empty() ? 1 : extents[0];
    auto const inputs = extents.size() < 2 ? 1 : extents[1];
    auto const per_output = outputs ? weights.size() / outputs : 0;
    auto const per_input = inputs ? per_output / inputs : 0;
    norms_.resize(by == weight_group::element ? weights.size() : by == weight_group::output ? outputs : inputs);
    for (std::size_t i = 0; i < weights.size(); ++i) {
      group_.push_back(by == weight_group::element  ? i
                       : by == weight_group::output ? i / per_output
                                                    : i % per_output / per_input);
      norms_[group_[i]] += weights[i] * weights[i];
    }
    for (auto& each : norms_) each = std::sqrt(each);
  }

  [[nodiscard]] std::vector<double> const& norms() const { return norms_; }
  /// ‖w_g‖ of the group that weight i is in.
  [[nodiscard]] double norm_at(std::size_t i) const { return norms_[group_[i]]; }
  /// Weights per group.
  [[nodiscard]] std::size_t size() const { return norms_.empty() ? 0 : group_.size() / norms_.size(); }

 private:
  std::vector<std::size_t> group_;
  std::vector<double> norms_;
};

}  // namespace detail
}  // namespace lnpt
