#pragma once
/// What a network costs while atoms come and go.
#include <cstddef>
#include <vector>

#include <lnpt/structure/atoms.hpp>
#include <lnpt/structure/budget.hpp>

namespace lnpt::detail {

/// What is left of every tensor while atoms come and go, and what that costs.
class remaining_network {
 public:
  remaining_network(atom_set const& set, counted unit) : set_(&set), unit_(unit) {
    for (auto const& tensor : set.tensors) {
      extents_.push_back(tensor.extents);
      total_ += tensor_cost(extents_.size() - 1);
    }
    if (unit == counted::channels)
      for (auto const& each : set.atoms) total_ += static_cast<double>(each.rows());
  }

  void remove(atom const& each) {
    change(each, [](std::size_t& extent, std::size_t by) { extent -= by; }, -1);
  }
  void restore(atom const& each) {
    change(each, [](std::size_t& extent, std::size_t by) { extent += by; }, +1);
  }
  [[nodiscard]] double cost() const { return total_; }
  /// Output channels that a weight has left.
  [[nodiscard]] std::size_t width(std::size_t tensor) const { return extents_[tensor][0]; }

 private:
  [[nodiscard]] double tensor_cost(std::size_t t) const {
    auto const& tensor = set_->tensors[t];
    if (unit_ == counted::channels || is_buffer(tensor.role)) return 0;
    auto const size = static_cast<double>(element_count(extents_[t]));
    return unit_ == counted::parameters ? size : size * static_cast<double>(tensor.uses);
  }
  template <class Change>
  void change(atom const& each, Change by, double sign) {
    for (auto const& slices : each.slices) {
      total_ -= tensor_cost(slices.tensor);
      by(extents_[slices.tensor][slices.axis], slices.indices.size());
      total_ += tensor_cost(slices.tensor);
    }
    if (unit_ == counted::channels) total_ += sign * static_cast<double>(each.rows());
  }

  atom_set const* set_;
  counted unit_;
  std::vector<shape> extents_;
  double total_ = 0;  // whole numbers below 2⁵³: exact
};

}  // namespace lnpt::detail
