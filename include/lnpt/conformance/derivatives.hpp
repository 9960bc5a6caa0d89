#pragma once
/// Gradients, Hessian– and Jacobian–vector products against central differences, in double.
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

/// How far rounding scatters f: measured on steps so small that f itself hardly changes, and at least an ulp.
template <class Model, class F>
[[nodiscard]] double rounding_along(walk<Model>& along, double t, F const& f) {
  along.to(0);
  auto const here = f();
  auto scatter = std::numeric_limits<double>::epsilon() * length(here);
  for (double const step : {-2e-8, -1e-8, 1e-8, 2e-8}) {
    along.to(step * t);
    scatter = std::max(scatter, length(difference(f(), here)));
  }
  return scatter;
}

/// (f(θ + tv) − f(θ − tv)) / 2t, or nothing where half the step tells another story: a kink lies between.
template <class Model, class F>
[[nodiscard]] std::optional<quotient> central_difference(walk<Model>& along, examination_options const& options, F const& f) {
  auto const slope = [&](double t) {
    along.to(t);
    auto ahead = f();
    along.to(-t);
    auto difference = detail::difference(std::move(ahead), f());
    for (auto& d : difference) d /= 2 * t;
    return difference;
  };
  auto const t = options.step * along.unit();
  auto const noise = 4 * rounding_along(along, t, f) / t;
  auto whole = slope(t);
  if (length(difference(slope(t / 2), whole)) > 0.5 * options.derivative_tolerance * length(whole) + 2 * noise)
    return std::nullopt;
  return quotient{std::move(whole), noise};
}

/// `product(direction)` against the central difference of `f` along it, for directions drawn until one meets no kink; empty if they
/// agree, otherwise by how much they do not.
template <class Model, class Draw, class Product, class F>
[[nodiscard]] std::string compare_along(Model& model, examination_options const& options, Draw const& draw,
                                        Product const& product, F const& f) {
  for (int k = 0; k < options.draws; ++k) {
    auto const direction = draw(static_cast<std::uint64_t>(k));
    numbers const expected = product(direction);
    walk<Model> along(model, direction);
    auto const measured = central_difference(along, options, f);
    if (!measured) continue;
    auto const apart = length(difference(expected, measured->value));
    if (apart <= options.derivative_tolerance * length(measured->value) + measured->noise) return {};
    std::ostringstream text;
    text << "is " << length(expected) << " where the central difference is " << length(measured->value) << ", and " << apart
         << " away from it";
    return text.str();
  }
  return "met a kink along every direction that was drawn: examine it on other inputs";
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
    auto const verdict = detail::compare_along(
        s.model, s.options,
        [&](std::uint64_t draw) { return alone(detail::rising(*g[index], s.options.seed + index, draw, true)); },
        [&](auto const& v) { return detail::numbers{detail::dot(detail::in_double(*g[index]), detail::in_double(*v[index]))}; },
        value);
    if (!verdict.empty()) found.add("gradient", p.name, ": the slope ", verdict);
  }
}

/// H v over all prunable weights, and ⟨u, Hv⟩ = ⟨v, Hu⟩.
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
  auto const gradient = [&] {
    auto moved = s.forward(norm);
    return detail::concatenated(s.model, s.model.backward(moved, rule(s.predicted(moved)), which_gradients::prunable));
  };
  auto const verdict = detail::compare_along(s.model, s.options, draw, product, gradient);
  if (!verdict.empty()) found.add("Hessian-vector product", verdict);

  auto const u = draw(100), v = draw(101);
  auto const hu = product(u), hv = product(v);
  auto const apart =
      std::abs(detail::dot(detail::concatenated(s.model, u), hv) - detail::dot(detail::concatenated(s.model, v), hu));
  auto const scale = detail::length(detail::concatenated(s.model, u)) * detail::length(hv);
  if (!(apart <= s.options.derivative_tolerance * scale)) found.add("Hessian symmetry", "<u, Hv> and <v, Hu> differ by ", apart);
}

/// J v of logits and features, where the engine has it.
template <class Model>
void examine_jacobian(subject<Model> const& s, normalization const& norm, findings& found) {
  using T = tensor_of<Model>;
  auto const trace = s.forward(norm);
  auto const joined = [](prediction<T> const& p) {
    auto all = detail::in_double(p.output);
    if (p.features)
      for (auto const x : detail::in_double(*p.features)) all.push_back(x);
    return all;
  };
  auto const draw = [&](std::uint64_t k) {
    gradients<T> v;
    for (auto const& p : s.model.parameters()) {
      v.emplace_back();
      if (is_prunable(p.role)) v.back() = detail::rising(*p.value, s.options.seed + v.size(), k, false);
    }
    return v;
  };
  auto const verdict = detail::compare_along(
      s.model, s.options, draw, [&](auto const& v) { return joined(s.model.jacobian_vector_product(trace, v)); },
      [&] { return joined(s.predicted(s.forward(norm))); });
  if (!verdict.empty()) found.add("Jacobian-vector product", verdict);
}

}  // namespace lnpt::conformance
