#pragma once
/// The algebra of values mantissa · 2^exponent, whose products do not overflow where those of plain numbers do.
#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include <lnpt/autodiff/plain.hpp>

namespace lnpt::autodiff {

/// Tensors as mantissa · 2^exponent, one exponent each; scaling by powers of two is exact. SynFlow needs it: at Kaiming initialisation
/// R is 9e44 for a ResNet-32 and 1e139 for a ResNet-110.
template <class Backend>
class scaled : public primitives<scaled<Backend>, Backend> {
 public:
  using backend = Backend;
  using array = typename Backend::array;
  using handle = std::shared_ptr<array const>;
  using indices = std::shared_ptr<typename Backend::indices const>;
  using channels = typename Backend::channels;
  using term = combination_term<scaled>;
  struct tensor {
    handle mantissa = nullptr;
    int exponent = 0;
    explicit operator bool() const { return mantissa != nullptr; }
  };

  [[nodiscard]] static array const& value(tensor const& x) { return *x.mantissa; }

  template <class F>
  tensor linear(tensor const& x, F f) {
    return normalized(f(*x.mantissa), x.exponent);
  }
  template <class Into>
  tensor bilinear(tensor const& a, tensor const& b, Into into) {
    array result;
    into(*a.mantissa, *b.mantissa, result, false);
    return normalized(std::move(result), a.exponent + b.exponent);
  }
  template <class Into>
  tensor bilinear_end(tensor const& a, tensor const& b, Into into) {
    return bilinear(a, b, into);
  }
  /// The one exponent of all delivered weight gradients, so that their mantissas compare as plain numbers.
  void deliver_at(int exponent) { delivery_ = exponent; }

  tensor conv2d_weight_gradient(tensor const& x, tensor const& gy, auto const& geometry, tensor const& w) {
    array gw;
    Backend::conv2d_weight_gradient(*x.mantissa, *for_delivery(x, gy), geometry, Backend::extents(*w.mantissa), gw, false);
    return {share(std::move(gw)), delivery_};
  }
  tensor linear_weight_gradient(tensor const& x, tensor const& gy, tensor const&) {
    array gw;
    Backend::linear_weight_gradient(*x.mantissa, *for_delivery(x, gy), gw, false);
    return {share(std::move(gw)), delivery_};
  }

  [[nodiscard]] static bool given(tensor const& x) { return x.mantissa != nullptr; }
  tensor add_ends(tensor const& x, tensor const& y) { return {share(Backend::add(*x.mantissa, *y.mantissa, false)), delivery_}; }

  tensor relu(tensor const& x) { return {share(Backend::relu(*x.mantissa)), x.exponent}; }
  tensor gate(tensor const& z, tensor const& g) { return {share(Backend::gate(*z.mantissa, *g.mantissa)), g.exponent}; }
  tensor affine(tensor const& x, double factor, double offset) {
    auto const exponent = offset == 0 ? x.exponent : std::max(x.exponent, 0);
    return normalized(Backend::affine(*x.mantissa, std::ldexp(factor, x.exponent - exponent), std::ldexp(offset, -exponent)),
                      exponent);
  }
  /// f(m·2^e) as what it is, of a bounded f, and as a mantissa for the same exponent of one that grows like x. Rectifiers with a slope are
  /// exact; the others are computed in double.
  tensor activate(tensor const& x, activation_function const& f) {
    if (f.kind == activation_kind::leaky_relu) return {share(Backend::activate(*x.mantissa, f)), x.exponent};
    if (f.kind == activation_kind::reciprocal) return normalized(Backend::activate(*x.mantissa, f), -x.exponent);
    auto const exponent = f.bounded() ? 0 : x.exponent;
    return normalized(Backend::activate_scaled(*x.mantissa, x.exponent, f, exponent), exponent);
  }
  tensor activation_slope(tensor const& x, tensor const& g, activation_function const& f) {
    if (f.kind == activation_kind::leaky_relu) return {share(Backend::activation_slope(*x.mantissa, *g.mantissa, f)), g.exponent};
    if (f.kind == activation_kind::reciprocal)
      return normalized(Backend::activation_slope(*x.mantissa, *g.mantissa, f), g.exponent - 2 * x.exponent);
    return normalized(Backend::activation_slope_scaled(*x.mantissa, x.exponent, *g.mantissa, f), g.exponent);
  }
  tensor add(tensor const& x, tensor const& y, bool rectify = false) {
    auto const exponent = std::max(x.exponent, y.exponent);
    return normalized(Backend::add(*aligned(x, exponent), *aligned(y, exponent), rectify), exponent);
  }
  tensor add_row(tensor const& x, tensor const& row) {
    auto const exponent = std::max(x.exponent, row.exponent);
    return normalized(Backend::add_row(*aligned(x, exponent), *aligned(row, exponent)), exponent);
  }
  tensor concat(std::vector<tensor> const& images) {
    auto exponent = images.front().exponent;
    for (auto const& image : images) exponent = std::max(exponent, image.exponent);
    std::vector<handle> parts;
    std::vector<array const*> views;
    for (auto const& image : images) views.push_back(parts.emplace_back(aligned(image, exponent)).get());
    return {share(Backend::concat(views)), exponent};
  }
  std::pair<tensor, indices> max_pool(tensor const& x, auto const& window) {
    typename Backend::indices chosen;
    auto y = share(Backend::max_pool(*x.mantissa, window, chosen));
    return {tensor{std::move(y), x.exponent}, std::make_shared<typename Backend::indices const>(std::move(chosen))};
  }
  tensor combine(std::vector<term> const& terms, channels const* constant, tensor const& gate, bool rectify = false) {
    auto exponent = terms.front().values.exponent;
    for (auto const& t : terms) exponent = std::max(exponent, t.values.exponent);
    std::vector<handle> values;
    std::vector<channels> coefficients(terms.size());
    std::vector<combined<array, channels>> parts;
    for (std::size_t i = 0; i < terms.size(); ++i) {
      auto const& [x, coefficient, gated] = terms[i];
      if (coefficient) coefficients[i] = std::ldexp(1.0, x.exponent - exponent) * *coefficient;
      values.push_back(coefficient ? x.mantissa : aligned(x, exponent));
      parts.push_back({values.back().get(), coefficient ? &coefficients[i] : nullptr, gated});
    }
    auto const offset = constant ? std::ldexp(1.0, -exponent) * *constant : channels{};
    return normalized(Backend::combine(parts, constant ? &offset : nullptr, gate.mantissa.get(), rectify, false), exponent);
  }
  std::pair<channels, channels> channel_sums(tensor const& g, tensor const& x, tensor const& gate) {
    auto const [sum, dot] = Backend::channel_sums(*g.mantissa, *x.mantissa, gate.mantissa.get());
    return {std::ldexp(1.0, g.exponent) * sum, std::ldexp(1.0, g.exponent + x.exponent) * dot};
  }
  channels channel_sum(tensor const& g) { return std::ldexp(1.0, g.exponent) * Backend::channel_sum(*g.mantissa); }

  [[nodiscard]] channels as_channels(tensor const& x) const { return Backend::as_channels(*x.mantissa); }
  [[nodiscard]] channels constant(channels const& c) const { return c; }
  [[nodiscard]] static channels without_tangent(channels c) { return c; }
  [[nodiscard]] tensor as_tensor(channels const& c) const { return {share(Backend::vector(c))}; }

 private:
  static constexpr int comfortable = 20;  ///< mantissas stay within 2^±20, far from float's 2^±126 even after a long product

  [[nodiscard]] static handle share(array&& a) { return std::make_shared<array const>(std::move(a)); }

  [[nodiscard]] static handle aligned(tensor const& x, int exponent) {
    return x.exponent == exponent ? x.mantissa : share(Backend::scale(*x.mantissa, std::ldexp(1.0, x.exponent - exponent)));
  }

  /// gy such that x ⊗ gy has the exponent of delivery: scaling the cotangent spares a pass over the weights.
  [[nodiscard]] handle for_delivery(tensor const& x, tensor const& gy) const {
    return aligned({gy.mantissa, gy.exponent + x.exponent}, delivery_);
  }

  [[nodiscard]] static tensor normalized(array&& values, int exponent) {
    auto const largest = Backend::largest(values);
    if (!(largest > 0) || !std::isfinite(largest) || std::abs(std::ilogb(largest)) <= comfortable)
      return {share(std::move(values)), exponent};
    auto const shift = std::ilogb(largest);
    return {share(Backend::scale(values, std::ldexp(1.0, -shift))), exponent + shift};
  }

  int delivery_ = 0;
};

}  // namespace lnpt::autodiff
