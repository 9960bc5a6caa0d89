#pragma once
/// Hessian–vector products for engines that have gradients only: by central differences, explicitly and in double.
#include <cmath>
#include <functional>
#include <type_traits>
#include <utility>

#include <lnpt/core/guard.hpp>
#include <lnpt/core/model_access.hpp>
#include <lnpt/loss/on_engine.hpp>

namespace lnpt {

/// Wraps a differentiable model and adds `hessian_vector_product`:
///
///     H v ≈ (g(θ + εv) − g(θ − εv)) / 2ε,      ε = 10⁻⁵ max(1, ‖θ‖) / ‖v‖
///
/// at the cost of two more forward+backwards. The relative error is about 10⁻⁶ away from kinks. In double only: in float, ReLU
/// kinks make the quotient useless (relative error above 1 on residual networks). The model is restored after every product.
template <differentiable Model>
class finite_difference_hvp {
 public:
  using tensor_type = tensor_of<Model>;
  static constexpr bool differentiates_loss = false;  // any loss will do: only its plain cotangents are read
  static_assert(
      std::same_as<value_type<tensor_type>, double>,
      "lnpt: finite differences of gradients need double precision. Wrap a model of double tensors, or give the engine a "
      "hessian_vector_product of its own.");

  /// The inner model's trace, and the input it came from.
  struct trace {
    trace_of<Model> inner;
    tensor_type input;
    normalization norm;
    [[nodiscard]] tensor_type const& output() const { return inner.output(); }
    [[nodiscard]] tensor_type const& features() const
      requires has_features<Model>
    {
      return inner.features();
    }
  };

  explicit finite_difference_hvp(Model& model) : model_(model) {}

  [[nodiscard]] auto parameters() { return model_.get().parameters(); }
  [[nodiscard]] auto buffers() { return buffers_of(model_.get()); }
  [[nodiscard]] trace forward(tensor_type const& x, normalization const& norm) {
    return {model_.get().forward(x, norm), x, norm};
  }
  [[nodiscard]] gradients<tensor_type> backward(trace& t, cotangents<tensor_type> const& slope, which_gradients which) {
    return model_.get().backward(t.inner, slope, which);
  }
  [[nodiscard]] normalization freeze(std::span<tensor_type const> parts)
    requires freezes_normalization<Model>
  {
    return model_.get().freeze(parts);
  }

  template <class Rule>
  [[nodiscard]] gradients<tensor_type> retained_backward(trace& t, Rule const& rule, which_gradients which) {
    return backward(t, rule(prediction_of(model_.get(), t.inner)), which);
  }

  template <class Rule>
  [[nodiscard]] gradients<tensor_type> hessian_vector_product(trace& t, Rule const& rule, gradients<tensor_type> const& v) {
    auto const length = norm_of(v);
    if (length == 0) return gradients<tensor_type>(v.size());
    restoring_guard const guard(model_.get());
    auto const step = 1e-5 * std::max(1.0, parameter_norm(v)) / length;
    move(v, step);
    auto const ahead = gradient_here(t, rule);
    move(v, -2 * step);
    auto const behind = gradient_here(t, rule);
    gradients<tensor_type> result(ahead.size());
    for (std::size_t i = 0; i < result.size(); ++i)
      if (ahead[i] && behind[i]) result[i] = tensor_type((0.5 / step) * tensor_type(*ahead[i] + (-1.0) * *behind[i]));
    return result;
  }

 private:
  template <class Rule>
  [[nodiscard]] gradients<tensor_type> gradient_here(trace const& t, Rule const& rule) {
    auto moved = model_.get().forward(t.input, t.norm);
    return model_.get().backward(moved, rule(prediction_of(model_.get(), moved)), which_gradients::prunable);
  }

  void move(gradients<tensor_type> const& v, double step) {
    std::size_t i = 0;
    for (auto const& p : model_.get().parameters()) {
      if (i < v.size() && v[i]) assign(*p.value, tensor_type(*p.value + step * *v[i]));
      ++i;
    }
  }

  [[nodiscard]] static double squared(tensor_type const& t) {
    double result = 0;
    for (auto const x : values_of(t)) result += x * x;
    return result;
  }
  [[nodiscard]] static double norm_of(gradients<tensor_type> const& v) {
    double result = 0;
    for (auto const& each : v)
      if (each) result += squared(*each);
    return std::sqrt(result);
  }
  [[nodiscard]] double parameter_norm(gradients<tensor_type> const& v) {
    double result = 0;
    std::size_t i = 0;
    for (auto const& p : model_.get().parameters())
      if (auto const index = i++; index < v.size() && v[index]) result += squared(*p.value);
    return std::sqrt(result);
  }

  std::reference_wrapper<Model> model_;
};

}  // namespace lnpt
