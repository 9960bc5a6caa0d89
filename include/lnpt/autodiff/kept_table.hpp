#pragma once
/// The table of the parameters that a pass holds by their kept weights alone.
#include <algorithm>
#include <utility>
#include <vector>

#include <lnpt/core/tensor.hpp>

namespace lnpt::autodiff {

/// A map from a parameter to its kept weights. The key is the address of the empty array that stands for the parameter.
template <class Array>
class kept_table {
 public:
  using kept = kept_weights_of<Array>;

  void add(Array const& stand_in, kept const& weights) { entries_.emplace_back(&stand_in, &weights); }

  /// The kept weights that this array stands for, or null where it is the parameter itself.
  [[nodiscard]] kept const* find(Array const* parameter) const {
    auto const found = std::ranges::find(entries_, parameter, &std::pair<Array const*, kept const*>::first);
    return found == entries_.end() ? nullptr : found->second;
  }

 private:
  std::vector<std::pair<Array const*, kept const*>> entries_;
};

}  // namespace lnpt::autodiff
