#pragma once
/// The algebra of squared gradients per sample.
#include <memory>
#include <optional>
#include <utility>

#include <lnpt/autodiff/plain.hpp>
#include <lnpt/core/error.hpp>

namespace lnpt::autodiff {

/// Plain values, but every weight gradient is the sum over samples of its per-sample square: Σ_b (J_bᵀ z_b)².
template <class Backend>
class sample_squares : public plain<Backend> {
 public:
  using typename plain<Backend>::array;
  using typename plain<Backend>::tensor;
  using plain<Backend>::plain;

  /// None: the gradient of the weights is another one.
  static std::optional<std::pair<tensor, tensor>> conv2d_gradients(tensor const&, tensor const&, auto const&, tensor const&,
                                                                   tensor const&, bool) {
    return std::nullopt;
  }
  tensor conv2d_weight_gradient(tensor const& x, tensor const& gy, auto const& geometry, tensor const& w) {
    array sum;
    Backend::conv2d_weight_gradient_squares(*x, *gy, geometry, Backend::extents(*w), sum, false);
    return std::make_shared<array const>(std::move(sum));
  }
  tensor add_ends(tensor const&, tensor const&) {
    fail("squared gradients per sample of a weight that two layers share are no sum over the layers: use another curvature");
  }
  tensor linear_weight_gradient(tensor const& x, tensor const& gy, tensor const&) {
    array sum;
    Backend::linear_weight_gradient_squares(*x, *gy, sum, false);
    return std::make_shared<array const>(std::move(sum));
  }
};

}  // namespace lnpt::autodiff
