#pragma once
/// The table of the parameters that a pass multiplies by their kept weights alone.
#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include <lnpt/core/tensor.hpp>

namespace lnpt::autodiff {

/// A map from a parameter to its kept weights. The key is the address of the parameter's array: one without axes that stands for it where the
/// kept weights are all that is held, else the whole of it, which is 0 everywhere else.
template <class Array>
class kept_table {
 public:
  using kept = kept_weights_of<Array>;

  /// `weights` outlive the table.
  void add(Array const& parameter, kept const& weights) { entries_.emplace_back(&parameter, handle(handle(), &weights)); }
  /// `weights` are the table's.
  void add(Array const& parameter, kept&& weights) {
    entries_.emplace_back(&parameter, std::make_shared<kept const>(std::move(weights)));
  }

  /// The kept weights by which to multiply, or null where that is done by the array itself.
  [[nodiscard]] kept const* find(Array const* parameter) const {
    auto const found = std::ranges::find(entries_, parameter, &entry::first);
    return found == entries_.end() ? nullptr : found->second.get();
  }

  /// The extents of a parameter, be it held whole or by its kept weights.
  [[nodiscard]] shape extents_of(Array const& parameter) const {
    if constexpr (holds_kept_weights<Array>)
      if (auto const* const weights = find(&parameter)) return weights->pattern().extents();
    return shape_of(parameter);
  }

  /// Fills the gradient of a parameter: calls `fill` with the parameter's extents, or with its kept weights, whose gradient becomes whole
  /// again, with zeros elsewhere, where the parameter is.
  template <class Fill>
  void fill_gradient(Array const& parameter, Array& gradient, Fill fill) const {
    if constexpr (holds_kept_weights<Array>)
      if (auto const* const weights = find(&parameter)) {
        fill(*weights);
        if (shape_of(parameter) == weights->pattern().extents()) gradient = kept::scatter(weights->pattern(), gradient);
        return;
      }
    fill(shape_of(parameter));
  }

 private:
  using handle = std::shared_ptr<kept const>;
  using entry = std::pair<Array const*, handle>;
  std::vector<entry> entries_;
};

}  // namespace lnpt::autodiff
