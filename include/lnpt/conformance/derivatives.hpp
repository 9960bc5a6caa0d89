#pragma once
/// Gradients, Hessian– and Jacobian–vector products against central differences: closely in double, loosely in float.
#include <algorithm>
#include <limits>
#include <optional>

#include <lnpt/conformance/examination.hpp>

namespace lnpt::conformance {

namespace detail {

/// A central difference, and the error that rounding alone may give it.
struct quotient {
  numbers value;
  double noise;
};

/// How far rounding scatters f: measured on steps of a few ulps, so small that f itself hardly changes, and at least an ulp.
template <class Model, class F>
[[nodiscard]] double rounding_along(walk<Model>& along, F const& f) {
  constexpr double ulp = std::numeric_limits<value_type<tensor_of<Model>>>::epsilon();
  along.to(0);
  auto const here = f();
  auto scatter = ulp * length(here);
  for (double const ulps : {-10.0, -5.0, 5.0, 10.0}) {
    along.to(ulps * ulp * along.unit());
    scatter = std::max(scatter, length(difference(f(), here)));
  }
  return scatter;
}

/// (f(θ + tv) − f(θ − tv)) / 2t, or nothing where half the step tells another story: a kink lies between.
template <class Model, class F>
[[nodiscard]] std::optional<quotient> central_difference(subject<Model> const& s, walk<Model>& along, F const& f) {
  auto const slope = [&](double t) {
    along.to(t);
    auto ahead = f();
    along.to(-t);
    auto difference = detail::difference(std::move(ahead), f());
    for (auto& d : difference) d /= 2 * t;
    return difference;
  };
  auto const t = s.step() * along.unit();
  auto const noise = 4 * rounding_along(along, f) / t;
  auto whole = slope(t);
  if (length(difference(slope(t / 2), whole)) > 0.5 * s.tolerance() * length(whole) + 2 * noise) return std::nullopt;
  return quotient{std::move(whole), noise};
}

/// Compares `product(direction)` with the central difference of `f` along it, for directions drawn until one meets no kink. In double a
/// difference is a finding, and so are nothing but kinks; in float, where steps are long and cross kinks unseen, it takes two.
template <class Model, class Draw, class Product, class F>
void compare_along(subject<Model> const& s, std::string const& property, std::string const& what, Draw const& draw,
                   Product const& product, F const& f, findings& found) {
  int witnesses = subject<Model>::in_double ? 1 : 2;
  for (int k = 0; k < s.options.draws; ++k) {
    auto const direction = draw(static_cast<std::uint64_t>(k));
    numbers const expected = product(direction);
    walk<Model> along(s.model, direction);
    auto const measured = central_difference(s, along, f);
    if (!measured) continue;
    auto const apart = length(difference(expected, measured->value));
    auto const agrees = apart <= s.tolerance() * length(measured->value) + measured->noise;
    if (!agrees && --witnesses > 0) continue;
    if (!agrees)
      found.add(property, what, "is ", length(expected), " where the central difference is ", length(measured->value), ", and ",
                apart, " away from it");
    return;
  }
  if constexpr (subject<Model>::in_double)
    found.add(property, what, "met a kink along every direction that was drawn: examine it on other inputs");
  else
    found.skip(property, what, "met a kink along every direction that was drawn");
}

}  // namespace detail

/// ∂L/∂θ of each parameter along a direction of its own; a parameter without a gradient must not move the loss at all.
template <class Model, class Loss>
void examine_gradient(subject<Model> const& s, Loss const& loss, normalization const& norm, findings& found) {
  using T = tensor_of<Model>;
  auto const value = [&] { return detail::numbers{loss_value(loss, s.predicted(s.forward(norm)), s.expected())}; };
  auto trace = s.forward(norm);
  gradients<T> const g = s.model.backward(trace, loss_cotangent(loss, s.predicted(trace), s.expected()), which_gradients::all);
  std::size_t i = 0;
  for (auto const& p : s.model.parameters()) {
    auto const index = i++;
    auto const alone = [&](T v) {
      gradients<T> direction(g.size());
      direction[index] = std::move(v);
      return direction;
    };
    if (!g.at(index)) {
      auto const before = value();
      detail::walk<Model> along(
          s.model, alone(detail::from_double(shape_of(*p.value), detail::numbers(size_of(*p.value), 1.0), *p.value)));
      along.to(0.1 * along.unit());
      if (value() != before) found.add("gradient", p.name, " has no gradient, but moves the loss");
      continue;
    }
    detail::compare_along(
        s, "gradient", p.name + ": the slope ",
        [&](std::uint64_t draw) { return alone(detail::rising(*g[index], s.options.seed + index, draw, true)); },
        [&](auto const& v) { return detail::numbers{detail::dot(detail::in_double(*g[index]), detail::in_double(*v[index]))}; },
        value, found);
  }
}

/// H v over all prunable weights, in double alone (differences of float gradients say nothing where ReLUs switch), and ⟨u, Hv⟩ = ⟨v, Hu⟩.
template <class Model, class Loss>
void examine_hessian(subject<Model> const& s, Loss const& loss, normalization const& norm, findings& found) {
  using T = tensor_of<Model>;
  scoring_problem<Model, Loss> const problem(s.model, std::span(&s.batch, 1), s.guide(), loss, norm, {});
  auto const rule = problem.rule(problem.parts().front());
  auto trace = s.forward(norm);
  gradients<T> const g = s.model.retained_backward(trace, rule, which_gradients::prunable);
  auto const product = [&](gradients<T> const& v) {
    return detail::concatenated(s.model, s.model.hessian_vector_product(trace, rule, v));
  };
  auto const draw = [&](std::uint64_t k) {
    gradients<T> v(g.size());
    for (std::size_t i = 0; i < g.size(); ++i)
      if (g[i]) v[i] = detail::rising(*g[i], s.options.seed + i, k, false);
    return v;
  };
  if constexpr (subject<Model>::in_double) {
    auto const gradient = [&] {
      auto moved = s.forward(norm);
      return detail::concatenated(s.model, s.model.backward(moved, rule(s.predicted(moved)), which_gradients::prunable));
    };
    detail::compare_along(s, "Hessian-vector product", "", draw, product, gradient, found);
  }

  auto const u = draw(100);
  auto const v = draw(101);
  auto const hu = product(u);
  auto const hv = product(v);
  auto const apart =
      std::abs(detail::dot(detail::concatenated(s.model, u), hv) - detail::dot(detail::concatenated(s.model, v), hu));
  auto const scale = detail::length(detail::concatenated(s.model, u)) * detail::length(hv);
  if (!(apart <= s.tolerance() * scale)) found.add("Hessian symmetry", "<u, Hv> and <v, Hu> differ by ", apart);
}

/// J v of logits and features, where the engine has it: against differences in double, and ⟨u, Jv⟩ = ⟨Jᵀu, v⟩ in any precision.
template <class Model>
void examine_jacobian(subject<Model> const& s, normalization const& norm, findings& found) {
  using T = tensor_of<Model>;
  auto trace = s.forward(norm);
  auto const draw = [&](std::uint64_t k) {
    gradients<T> v;
    for (auto const& p : s.model.parameters()) {
      v.emplace_back();
      if (is_prunable(p.role)) v.back() = detail::rising(*p.value, s.options.seed + v.size(), k, false);
    }
    return v;
  };
  if constexpr (subject<Model>::in_double) {
    auto const joined = [](prediction<T> const& p) {
      auto all = detail::in_double(p.output);
      if (p.features)
        for (auto const x : detail::in_double(*p.features)) all.push_back(x);
      return all;
    };
    detail::compare_along(
        s, "Jacobian-vector product", "", draw, [&](auto const& v) { return joined(s.model.jacobian_vector_product(trace, v)); },
        [&] { return joined(s.predicted(s.forward(norm))); }, found);
  }
  auto const v = draw(100);
  auto const u = detail::in_double(trace.output());
  auto const ahead = detail::in_double(s.model.jacobian_vector_product(trace, v).output);
  gradients<T> const g = s.model.backward(trace, {trace.output(), std::nullopt}, which_gradients::prunable);
  auto const apart =
      std::abs(detail::dot(u, ahead) - detail::dot(detail::concatenated(s.model, g), detail::concatenated(s.model, v)));
  if (!(apart <= detail::rounding<T> * detail::length(u) * detail::length(ahead)))
    found.add("Jacobian-vector product", "<u, Jv> and <J'u, v> differ by ", apart);
}

}  // namespace lnpt::conformance
