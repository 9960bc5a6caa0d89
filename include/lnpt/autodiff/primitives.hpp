#pragma once
/// The primitives that layer rules are written in, named once and sorted by kind.
#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include <lnpt/core/activation_function.hpp>
#include <lnpt/core/shape.hpp>
#include <lnpt/core/window.hpp>

namespace lnpt::autodiff {

/// One summand of `combine`: coefficient[c] · values, only where the gate is positive if `gated`.
template <class Algebra>
struct combination_term {
  typename Algebra::tensor values;
  std::optional<typename Algebra::channels> coefficient;  ///< none: 1
  bool gated = false;
};

/// The value of an optional, by address; null where there is none.
template <class T>
[[nodiscard]] T const* pointer_to(std::optional<T> const& x) {
  return x ? &*x : nullptr;
}

/// Names every primitive in terms of the few kinds an algebra knows how to carry out. `Algebra` (the derived class) supplies
///
///     linear(x, f)            f: array → array                            tangent f(ẋ)
///     bilinear(a, b, into)    into(a, b, out, accumulate)                 tangent into(ȧ, b) + into(a, ḃ)
///     bilinear_end(…)         the same, of a result that no rule reads
///     activate, activation_slope                                          pointwise: f′(x) ẋ
///     relu, gate, add, concat, max_pool, combine, channel_sums            fused or selecting: a rule of their own
///
/// so that a value, a value with a tangent, and a value with an exponent all run the same layer rules.
template <class Algebra, class Backend>
class primitives {
 public:
  /// Whether the algebra has `combine_after_sums`.
  static constexpr bool joins_sums = false;

  auto conv2d(auto const& x, auto const& w, auto const& geometry) {
    return self().by_weights(
        x, w, [&geometry](auto const& xv, auto const& wv, auto& y, bool more) { Backend::conv2d(xv, wv, geometry, y, more); });
  }
  auto conv2d_input_gradient(auto const& gy, auto const& w, auto const& geometry, shape const& x_shape) {
    return self().by_weights(gy, w, [&](auto const& gv, auto const& wv, auto& gx, bool more) {
      Backend::conv2d_input_gradient(gv, wv, geometry, x_shape, gx, more);
    });
  }
  /// With respect to the weights `w`: all of them, or those that are kept.
  auto conv2d_weight_gradient(auto const& x, auto const& gy, auto const& geometry, auto const& w) {
    return self().bilinear_end(x, gy, [&](auto const& xv, auto const& gv, auto& gw, bool more) {
      self().weight_gradient(w, gw, [&](auto const& form) { Backend::conv2d_weight_gradient(xv, gv, geometry, form, gw, more); });
    });
  }
  /// Both gradients of a convolution, of its weights and of its input, where the algebra has one product for them. To that of the input a
  /// cotangent `addend` is added, if there is one, and if the input is rectified the sum is 0 where the input is.
  template <class Tensor>
  std::optional<std::pair<Tensor, Tensor>> conv2d_gradients(Tensor const&, Tensor const&, auto const&, Tensor const&,
                                                            Tensor const&, bool) {
    return std::nullopt;
  }
  auto linear_product(auto const& x, auto const& w) {
    return self().by_weights(x, w, [](auto const& xv, auto const& wv, auto& y, bool more) { Backend::linear(xv, wv, y, more); });
  }
  auto linear_input_gradient(auto const& gy, auto const& w) {
    return self().by_weights(
        gy, w, [](auto const& gv, auto const& wv, auto& gx, bool more) { Backend::linear_input_gradient(gv, wv, gx, more); });
  }
  auto linear_weight_gradient(auto const& x, auto const& gy, auto const& w) {
    return self().bilinear_end(x, gy, [&](auto const& xv, auto const& gv, auto& gw, bool more) {
      self().weight_gradient(w, gw, [&](auto const& form) {
        if constexpr (std::same_as<std::remove_cvref_t<decltype(form)>, shape>)
          Backend::linear_weight_gradient(xv, gv, gw, more);
        else
          Backend::linear_weight_gradient(xv, gv, form, gw, more);
      });
    });
  }

  /// x ⊙ y, either stretched where its extent is 1, and the sum of such products over what was stretched.
  auto product(auto const& x, auto const& y) {
    return self().bilinear(x, y, [](auto const& a, auto const& b, auto& out, bool more) { Backend::product(a, b, out, more); });
  }
  auto product_sum(auto const& x, auto const& y, shape const& to) {
    return self().bilinear(
        x, y, [&](auto const& a, auto const& b, auto& out, bool more) { Backend::product_sum(a, b, to, out, more); });
  }
  auto broadcast(auto const& x, shape const& to) {
    return self().linear(x, [&](auto const& v) { return Backend::broadcast(v, to); });
  }
  auto sum_to(auto const& x, shape const& to) {
    return self().linear(x, [&](auto const& v) { return Backend::sum_to(v, to); });
  }
  auto scale(auto const& x, double factor) {
    return self().linear(x, [&](auto const& v) { return Backend::scale(v, factor); });
  }
  /// v where the gate is positive, a v elsewhere: linear in v, which may be the gate. The slope a carries no tangent, as it is not pruned.
  auto prelu(auto const& gate, auto const& v, auto const& a) {
    return self().linear(v, [&](auto const& each) { return Backend::prelu(Algebra::value(gate), each, Algebra::value(a)); });
  }
  /// Σ g x over x ≤ 0, in the shape of a.
  auto prelu_sums(auto const& x, auto const& g, auto const& a) {
    auto const extents = Backend::extents(Algebra::value(a));
    return self().bilinear_end(x, g, [&](auto const& xv, auto const& gv, auto& sums, bool more) {
      Backend::prelu_sums(Algebra::value(x), xv, gv, extents, sums, more);
    });
  }

  /// A product by a parameter. `into` is called with the kept weights alone where the algebra multiplies by those.
  auto by_weights(auto const& x, auto const& w, auto into) { return self().bilinear(x, w, into); }
  /// Fills the gradient `gw` of a parameter: calls `fill` with its extents or, in such an algebra, with its kept weights.
  void weight_gradient(auto const& w, auto&, auto fill) const { fill(Backend::extents(Algebra::value(w))); }

  auto column_sums(auto const& gy) {
    return self().linear(gy, [](auto const& g) { return Backend::column_sums(g); });
  }
  auto average_pool(auto const& x, auto const& window) {
    return self().linear(x, [&](auto const& v) { return Backend::average_pool(v, window); });
  }
  auto average_pool_adjoint(auto const& gy, auto const& window, shape const& x_shape) {
    return self().linear(gy, [&](auto const& g) { return Backend::average_pool_adjoint(g, window, x_shape); });
  }
  auto global_average_pool(auto const& x) {
    return self().linear(x, [](auto const& v) { return Backend::global_average_pool(v); });
  }
  auto global_average_pool_adjoint(auto const& gy, shape const& x_shape) {
    return self().linear(gy, [&](auto const& g) { return Backend::global_average_pool_adjoint(g, x_shape); });
  }
  auto scatter_pool(auto const& gy, auto const& indices, shape const& x_shape) {
    return self().linear(gy, [&](auto const& g) { return Backend::scatter_pool(g, *indices, x_shape); });
  }
  auto flatten(auto const& x) {
    return self().linear(x, [](auto const& v) { return Backend::flatten(v); });
  }
  auto unflatten(auto const& gy, shape const& x_shape) {
    return self().linear(gy, [&](auto const& g) { return Backend::unflatten(g, x_shape); });
  }
  auto slice_channels(auto const& x, std::size_t begin, std::size_t end) {
    return self().linear(x, [&](auto const& v) { return Backend::slice_channels(v, begin, end); });
  }
  /// A region, and an array of this shape that holds x there and zeros elsewhere.
  auto slice(auto const& x, image_region const& region) {
    return self().linear(x, [&](auto const& v) { return Backend::slice(v, region); });
  }
  auto unslice(auto const& x, image_region const& region, shape const& whole) {
    return self().linear(x, [&](auto const& v) { return Backend::unslice(v, region, whole); });
  }
  auto channel_shuffle(auto const& x, std::size_t groups) {
    return self().linear(x, [&](auto const& v) { return Backend::channel_shuffle(v, groups); });
  }
  auto upsample_nearest(auto const& x, per_axis factor) {
    return self().linear(x, [&](auto const& v) { return Backend::upsample_nearest(v, factor); });
  }
  auto upsample_nearest_adjoint(auto const& gy, per_axis factor) {
    return self().linear(gy, [&](auto const& g) { return Backend::upsample_nearest_adjoint(g, factor); });
  }
  auto subsample_pad(auto const& x, std::size_t stride, std::size_t channels, std::size_t before) {
    return self().linear(x, [&](auto const& v) { return Backend::subsample_pad(v, stride, channels, before); });
  }
  auto subsample_pad_adjoint(auto const& gy, std::size_t stride, shape const& x_shape, std::size_t before) {
    return self().linear(gy, [&](auto const& g) { return Backend::subsample_pad_adjoint(g, stride, x_shape, before); });
  }

 private:
  Algebra& self() { return static_cast<Algebra&>(*this); }
};

}  // namespace lnpt::autodiff
