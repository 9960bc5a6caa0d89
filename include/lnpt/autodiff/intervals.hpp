#pragma once
/// The algebra of intervals: layers run on lower and upper bounds, rounded outward.
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include <lnpt/autodiff/bounded_channels.hpp>
#include <lnpt/autodiff/primitives.hpp>
#include <lnpt/backend/concept.hpp>
#include <lnpt/core/error.hpp>
#include <lnpt/core/tensor.hpp>

namespace lnpt::autodiff {

/// Tensors as pairs of bounds. The true result of a layer, in exact arithmetic, of any input within the bounds lies within the bounds.
///
///     y = W x,  |x − c| ≤ r:      y ∈ W c ± (|W| (r + γ (|c| + r)) + tiny),      γ = 2 (n + 8) u
///
/// with n products per output and u the rounding of the backend's scalar; γ covers every order of summation and fused products, but no
/// transformed convolution (Winograd, FFT). Costs two products for one. Activation functions that are not piecewise linear, divisors that
/// may be 0, and batch statistics are refused.
template <class Backend>
class intervals : public primitives<intervals<Backend>, Backend> {
 public:
  using backend = Backend;
  using array = typename Backend::array;
  using handle = std::shared_ptr<array const>;
  using indices = std::shared_ptr<typename Backend::indices const>;
  using channels = bounded_channels;
  using term = combination_term<intervals>;
  struct tensor {
    handle low = nullptr, high = nullptr;
    explicit operator bool() const { return low != nullptr; }
  };

  [[nodiscard]] static array const& value(tensor const& x) { return *x.low; }

  /// Of functions that move or copy values, and so never round.
  template <class F>
  tensor linear(tensor const& x, F f) {
    return {share(f(*x.low)), share(f(*x.high))};
  }
  template <class Into>
  tensor bilinear(tensor const&, tensor const&, Into) {
    refuse("a product of two nodes");
  }
  template <class Into>
  tensor by_weights(tensor const& x, tensor const& w, Into into) {
    auto const extents = Backend::extents(*w.low);
    auto const terms = static_cast<double>(element_count(extents)) / static_cast<double>(extents.at(0));
    auto const gamma = 2 * (terms + 8) * unit;
    auto const [center, radius] = center_and_radius(x);
    auto const size = Backend::add(*Backend::absolute(center), *radius, false);
    array middle;
    array spread;
    into(*center, *w.low, middle, false);
    into(Backend::add(*radius, Backend::scale(size, gamma), false), *Backend::absolute(w.low), spread, false);
    return around(middle, Backend::affine(spread, 1 + 4 * gamma, (terms + 8) * tiny));
  }

  /// |x y − c d| ≤ |c| s + r |d| + r s for |x − c| ≤ r and |y − d| ≤ s.
  tensor product(tensor const& x, tensor const& y) {
    auto const of = [](array const& a, array const& b) {
      array result;
      Backend::product(a, b, result, false);
      return result;
    };
    auto const [c, r] = center_and_radius(x);
    auto const [d, s] = center_and_radius(y);
    auto const size = of(*Backend::absolute(c), *Backend::absolute(d));
    auto const spread = Backend::add(Backend::add(of(*Backend::absolute(c), *s), of(*r, *Backend::absolute(d)), false),
                                     Backend::add(of(*r, *s), Backend::scale(size, 4 * unit), false), false);
    return around(of(*c, *d), Backend::affine(spread, 1 + 16 * unit, tiny));
  }

  tensor relu(tensor const& x) {
    return linear(x, [](auto const& v) { return Backend::relu(v); });
  }
  tensor scale(tensor const& x, double factor) { return affine(x, factor, 0); }
  tensor affine(tensor const& x, double factor, double offset) {
    auto const of = [&](handle const& v) { return share(Backend::affine(*v, factor, offset)); };
    // What cancels in the sum is no larger than offset, so that its rounding is covered by that of the offset.
    auto const margin = 8 * unit * std::abs(offset);
    return outward(factor < 0 ? tensor{of(x.high), of(x.low)} : tensor{of(x.low), of(x.high)}, margin);
  }
  tensor add(tensor const& x, tensor const& y, bool rectify = false) {
    auto const sum = outward({share(Backend::add(*x.low, *y.low, false)), share(Backend::add(*x.high, *y.high, false))});
    return rectify ? relu(sum) : sum;
  }
  tensor add_row(tensor const& x, tensor const& row) {
    return outward({share(Backend::add_row(*x.low, *row.low)), share(Backend::add_row(*x.high, *row.high))});
  }
  tensor concat(std::vector<tensor> const& images) {
    std::vector<array const*> low;
    std::vector<array const*> high;
    for (auto const& each : images) low.push_back(each.low.get()), high.push_back(each.high.get());
    return {share(Backend::concat(low)), share(Backend::concat(high))};
  }
  std::pair<tensor, indices> max_pool(tensor const& x, auto const& window) {
    typename Backend::indices of_low;
    typename Backend::indices of_high;
    auto low = share(Backend::max_pool(*x.low, window, of_low));
    auto high = share(Backend::max_pool(*x.high, window, of_high));
    return {tensor{std::move(low), std::move(high)}, std::make_shared<typename Backend::indices const>(std::move(of_high))};
  }
  tensor average_pool(tensor const& x, auto const& window) {
    auto const terms = static_cast<double>(window.kernel.h * window.kernel.w);
    return mean(x, terms, [&](array const& v) { return Backend::average_pool(v, window); });
  }
  tensor global_average_pool(tensor const& x) {
    auto const extents = Backend::extents(*x.low);
    auto const terms = static_cast<double>(extents.at(2) * extents.at(3));
    return mean(x, terms, [](array const& v) { return Backend::global_average_pool(v); });
  }

  /// Σ_j coefficient_j[c] · x_j + constant[c] of one term, as batch norm and the biases of convolutions have it.
  tensor combine(std::vector<term> const& terms, channels const* constant, tensor const& gate, bool rectify = false) {
    if (terms.size() != 1 || gate) refuse("a combination of several nodes");
    auto const& [x, coefficient, gated] = terms.front();
    auto const [center, radius] = center_and_radius(x);
    auto const size = Backend::add(*Backend::absolute(center), *radius, false);
    auto const count = Backend::extents(*x.low).size() == 4 ? Backend::extents(*x.low)[0] : Backend::extents(*x.low)[1];
    auto const where = Backend::context_of(*x.low);
    channels const a = coefficient ? *coefficient : exactly(count, 1);
    channels const b = constant ? *constant : exactly(count, 0);
    auto const middle = of_channels(*center, on_backend(a.value, where), on_backend(b.value, where));
    auto const spread = of_channels(*radius, on_backend(magnitudes(a.value), where), on_backend(exactly(count, 0).value, where));
    auto const errors = of_channels(size, on_backend(margins(a), where), on_backend(margins(b), where));
    auto const total = Backend::affine(Backend::add(spread, errors, false), 1 + 16 * unit, tiny);
    auto const y = around(middle, total);
    return rectify ? relu(y) : y;
  }

  [[nodiscard]] channels as_channels(tensor const& x) const {
    channels result;
    for (auto const each : values_of(*x.low)) result.value.push_back(static_cast<double>(each));
    result.error.assign(result.value.size(), 0);
    return result;
  }
  std::pair<channels, channels> channel_sums(tensor const&, tensor const&, tensor const&) { refuse("batch statistics"); }
  [[nodiscard]] static channels constant(auto const&) { refuse("frozen statistics"); }
  [[nodiscard]] static channels without_tangent(channels c) { return c; }
  /// 1 / x falls on each side of 0.
  tensor activate(tensor const& x, activation_function const& f) {
    if (f.kind != activation_kind::reciprocal) refuse("an activation function that is no rectifier");
    auto const low = values_of(*x.low);
    auto const high = values_of(*x.high);
    for (std::size_t i = 0; i < low.size(); ++i)
      if (!(low[i] > 0) && !(high[i] < 0)) fail("there are no interval bounds of a quotient whose divisor may be 0");
    return outward({share(Backend::activate(*x.high, f)), share(Backend::activate(*x.low, f))});
  }
  tensor prelu(tensor const&, tensor const&, tensor const&) { refuse("a rectifier with learnt slopes"); }

 private:
  using scalar = typename Backend::scalar;
  static constexpr double unit = std::numeric_limits<scalar>::epsilon();
  static constexpr double tiny = 4 * static_cast<double>(std::numeric_limits<scalar>::min());

  [[noreturn]] static void refuse(char const* what) {
    fail("there are no interval bounds of ", what,
         ": bound networks of linear layers, convolutions, batch norm in eval mode, ReLU, "
         "pools, sums, products and concatenations");
  }
  [[nodiscard]] static handle share(array a) { return std::make_shared<array const>(std::move(a)); }
  [[nodiscard]] static array minus(array const& x, array const& y) { return Backend::add(x, Backend::scale(y, -1), false); }

  /// c and r with |x − c| ≤ r for all x within the bounds.
  [[nodiscard]] static std::pair<handle, handle> center_and_radius(tensor const& x) {
    auto const half = [](array const& a, array const& b) { return Backend::scale(Backend::add(a, b, false), 0.5); };
    auto const size = Backend::add(*Backend::absolute(x.low), *Backend::absolute(x.high), false);
    auto const distance = half(*x.high, Backend::scale(*x.low, -1));
    return {share(half(*x.low, *x.high)), share(Backend::add(distance, Backend::affine(size, 4 * unit, tiny), false))};
  }
  /// The bounds at a distance from a middle; the distance covers the rounding of both sums.
  [[nodiscard]] static tensor around(array const& middle, array const& distance) {
    return {share(minus(middle, distance)), share(Backend::add(middle, distance, false))};
  }
  /// Bounds moved apart by what one operation rounds, and by `more`.
  [[nodiscard]] static tensor outward(tensor const& x, double more = 0) {
    auto const margin = [&](handle const& v) { return Backend::affine(*Backend::absolute(v), 4 * unit, tiny + more); };
    return {share(minus(*x.low, margin(x.low))), share(Backend::add(*x.high, margin(x.high), false))};
  }
  /// Means of n values: each is off by at most (n + 4) u of the mean of their sizes.
  template <class F>
  [[nodiscard]] static tensor mean(tensor const& x, double n, F f) {
    auto const margin = [&](handle const& v) { return Backend::affine(f(*Backend::absolute(v)), 4 * (n + 4) * unit, tiny); };
    return {share(minus(f(*x.low), margin(x.low))), share(Backend::add(f(*x.high), margin(x.high), false))};
  }

  [[nodiscard]] static array of_channels(array const& x, typename Backend::channels const& a,
                                         typename Backend::channels const& b) {
    return Backend::combine({{&x, &a, false}}, &b, nullptr, false, false);
  }
  [[nodiscard]] static channels exactly(std::size_t count, double value) {
    return {std::vector<double>(count, value), std::vector<double>(count, 0)};
  }
  [[nodiscard]] static std::vector<double> magnitudes(std::vector<double> values) {
    for (auto& each : values) each = std::abs(each);
    return values;
  }
  /// How far the coefficient that the backend multiplies by may be from the exact one, with what its product rounds.
  [[nodiscard]] static std::vector<double> margins(channels const& c) {
    std::vector<double> result(c.value.size());
    for (std::size_t i = 0; i < result.size(); ++i) result[i] = 1.01 * (c.error[i] + 16 * unit * std::abs(c.value[i]));
    return result;
  }
  [[nodiscard]] static typename Backend::channels on_backend(std::vector<double> const& values,
                                                             typename Backend::context const& context) {
    std::vector<scalar> numbers;
    numbers.reserve(values.size());
    for (auto const each : values) numbers.push_back(static_cast<scalar>(each));
    return Backend::as_channels(Backend::make({numbers.size()}, numbers, context));
  }
};

}  // namespace lnpt::autodiff
