#pragma once
/// Gradients that are nothing but the rounding of the products they are sums of: they rank nothing, and are refused.
#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>
#include <vector>

#include <lnpt/core/gradients.hpp>
#include <lnpt/core/random.hpp>

namespace lnpt::detail {

/// f with every number moved by one part in 256, up or down.
template <tensor T>
[[nodiscard]] T jittered(T const& f, std::uint64_t stream) {
  auto values = values_of(f);
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<value_type<T>>(values[i] * (1 + rademacher(0, stream, i) * 0x1p-8));
  return make_tensor<T>(shape_of(f), values, f);
}

/// Σ |f| (|δ| + |∂δ/∂f · f|) of one output f and its cotangents δ(f) and δ(f + f/256).
template <tensor T>
[[nodiscard]] double product_scale(T const& f, std::optional<T> const& slope, std::optional<T> const& moved_slope) {
  if (!slope || !moved_slope) return 0;
  auto const size = values_of(f);
  auto const here = values_of(*slope);
  auto const there = values_of(*moved_slope);
  double sum = 0;
  for (std::size_t i = 0; i < size.size(); ++i)
    sum += std::abs(double{size[i]}) * (std::abs(double{here[i]}) + 256 * std::abs(double{there[i]} - double{here[i]}));
  return sum;
}

/// How large the products are that first-order scores θ ⊙ g sum up, where the loss reads the prediction f with the cotangent δ:
///
///     P = Σ |f| (|δ| + |∂δ/∂f · f|)
///
/// The second term is what δ itself was a difference of: a student that equals its teacher but for rounding has δ ≈ 0 and P ≫ 0.
/// Cost: the cotangent of the loss once more, no pass through the network.
template <class Rule, class T>
[[nodiscard]] double product_scale(Rule const& rule, prediction<T> const& predicted, cotangents<T> const& slope) {
  prediction<T> moved{jittered(predicted.output, 0), std::nullopt};
  if (predicted.features) moved.features = jittered(*predicted.features, 1);
  auto const moved_slope = rule(moved);
  auto sum = product_scale(predicted.output, slope.output, moved_slope.output);
  if (predicted.features) sum += product_scale(*predicted.features, slope.features, moved_slope.features);
  return sum;
}

/// Σ |θ ⊙ g| / √n of one parameter: about |Σ θ ⊙ g| where signs are mixed, which for a layer of weights is Σ f ⊙ δ of its output.
template <tensor T>
[[nodiscard]] double first_order_size(T const& theta, T const& g) {
  auto const sum_of = [&](auto const& a, auto const& b) {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += std::abs(double{a[i]} * double{b[i]});
    return sum;
  };
  double sum = 0;
  if constexpr (host_tensor<T>) {
    sum = sum_of(tensor_traits<T>::view(theta), tensor_traits<T>::view(g));
  } else if constexpr (requires { tensor_traits<T>::sum(theta); }) {
    using std::abs;
    sum = tensor_traits<T>::sum(T(abs(T(theta * g))));
  } else {
    sum = sum_of(values_of(theta), values_of(g));
  }
  return sum / std::sqrt(static_cast<double>(size_of(theta)));
}

/// Refuses gradients g none of which is above the rounding of the products P behind it: 64 ε P, ε the unit roundoff. Gradients of
/// exactly 0 pass: scores that are all 0 have a sentence of their own.
template <prunable Model>
void refuse_rounding_noise(Model& model, gradients<tensor_of<Model>> const& g, double products) {
  constexpr double unit = std::numeric_limits<value_type<tensor_of<Model>>>::epsilon();
  double largest = 0;
  for (std::size_t i = 0; auto const& p : model.parameters()) {
    auto const& slope = g[i++];
    if (!slope || !is_prunable(p.role)) continue;
    largest = std::max(largest, first_order_size(*p.value, *slope));
    if (!(largest <= 64 * unit * products)) return;
  }
  if (largest > 0)
    fail("the gradients are rounding noise: the weights times their gradients come to ", largest,
         " at most, the products they sum to ", products,
         "; score on other data, with another loss or teacher, or with another batch-norm mode");
}

}  // namespace lnpt::detail
