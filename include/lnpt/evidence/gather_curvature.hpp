#pragma once
/// How each curvature policy is carried out on a model.
#include <algorithm>

#include <lnpt/core/random.hpp>
#include <lnpt/evidence/curvature.hpp>
#include <lnpt/evidence/problem.hpp>

namespace lnpt::detail {

/// What the loss reads of a prediction: the features or the logits.
template <class Loss, class T>
[[nodiscard]] T const& read_by(prediction<T> const& predicted) {
  if constexpr (Loss::needs.features)
    return *predicted.features;
  else
    return predicted.output;
}

/// ±1 for every (sample, output), a function of the seed, the probe and the position alone, so that engines and groupings agree.
template <class T>
[[nodiscard]] T rademacher_probe(T const& like, std::uint64_t seed, std::uint64_t probe, std::size_t first_sample) {
  auto const extents = shape_of(like);
  auto const width = size_of(like) / extents.at(0);
  std::vector<value_type<T>> z(size_of(like));
  for (std::size_t i = 0; i < z.size(); ++i)
    z[i] = static_cast<value_type<T>>(rademacher(seed, probe, first_sample + i / width, i % width));
  return make_tensor<T>(extents, z, like);
}

/// 1 at output `k` of every sample, or of sample `only` alone.
template <class T>
[[nodiscard]] T unit_probe(T const& like, std::size_t k, std::optional<std::size_t> only = std::nullopt) {
  auto const extents = shape_of(like);
  auto const width = size_of(like) / extents.at(0);
  std::vector<value_type<T>> z(size_of(like));
  for (std::size_t b = 0; b < extents[0]; ++b) z[b * width + k] = !only || *only == b ? 1 : 0;
  return make_tensor<T>(extents, z, like);
}

template <class T>
void accumulate_squares(gradients<T>& into, gradients<T> from) {
  for (auto& each : from)
    if (each) each = T(*each * *each);
  accumulate(into, std::move(from));
}

/// Σ_b (J_bᵀ S_b z_b)² of one part: natively, or by groups of samples through `backward`.
template <class Problem, class Trace>
[[nodiscard]] auto sample_squares(Problem const& problem, typename Problem::part const& p, Trace& trace,
                                  typename Problem::tensor_type const& z, [[maybe_unused]] std::size_t group) {
  auto& model = problem.model();
  using model_type = std::remove_reference_t<decltype(model)>;
  using tensor_type = typename Problem::tensor_type;
  if constexpr (squares_per_sample<model_type>) {
    return model.sample_squared_gradients(trace, loss_curvature_probe(problem.loss(), prediction_of(model, trace), z));
  } else {
    gradients<tensor_type> squares;
    for (std::size_t begin = 0; begin < p.samples; begin += group) {
      auto const end = std::min(begin + group, p.samples);
      auto sub = model.forward(rows(*p.input, begin, end), problem.norm());
      auto const slope = loss_curvature_probe(problem.loss(), prediction_of(model, sub), rows(z, begin, end));
      accumulate_squares(squares, model.backward(sub, slope, which_gradients::prunable));
    }
    return squares;
  }
}

template <int Probes, class Problem, class Trace>
[[nodiscard]] auto part_curvature(gauss_newton<Probes>, Problem const& problem, typename Problem::part const& p, Trace& trace) {
  if (problem.norm().mode == norm_mode::train && has_normalization(problem.model()))
    fail(
        "gauss_newton squares per sample, but batch norm in train mode couples the samples of a batch: use norm_mode::frozen, or "
        "gauss_newton_exact");
  auto const predicted = prediction_of(problem.model(), trace);
  auto const& read = read_by<std::remove_cvref_t<decltype(problem.loss())>>(predicted);
  auto const probes = problem.options().probes > 0 ? problem.options().probes : Probes;
  gradients<typename Problem::tensor_type> c;
  for (int k = 0; k < probes; ++k) {
    auto const z = rademacher_probe(read, problem.options().seed, static_cast<std::uint64_t>(k), p.first_sample);
    accumulate(c, sample_squares(problem, p, trace, z, problem.options().sample_group));
  }
  scale(c, 1.0 / (probes * static_cast<double>(problem.samples())));
  return c;
}

template <class Problem, class Trace>
[[nodiscard]] auto part_curvature(gauss_newton_exact, Problem const& problem, typename Problem::part const& p, Trace& trace) {
  auto& model = problem.model();
  auto const predicted = prediction_of(model, trace);
  auto const& read = read_by<std::remove_cvref_t<decltype(problem.loss())>>(predicted);
  auto const width = size_of(read) / p.samples;
  auto const coupled = problem.norm().mode == norm_mode::train && has_normalization(model);
  gradients<typename Problem::tensor_type> c;
  for (std::size_t k = 0; k < width; ++k) {
    if (!coupled) {
      accumulate(c, sample_squares(problem, p, trace, unit_probe(read, k), 1));
    } else {
      for (std::size_t b = 0; b < p.samples; ++b)
        accumulate_squares(c, model.backward(trace, loss_curvature_probe(problem.loss(), predicted, unit_probe(read, k, b)),
                                             which_gradients::prunable));
    }
  }
  scale(c, 1.0 / static_cast<double>(problem.samples()));
  return c;
}

template <class Problem, class Trace>
[[nodiscard]] auto part_curvature(hessian_diagonal, Problem const& problem, typename Problem::part const& p, Trace& trace) {
  auto& model = problem.model();
  using tensor_type = typename Problem::tensor_type;
  auto const rule = problem.rule(p);
  auto const g = model.retained_backward(trace, rule, which_gradients::prunable);
  gradients<tensor_type> diagonal(g.size());
  for (std::size_t i = 0; i < g.size(); ++i) {
    if (!g[i]) continue;
    std::vector<value_type<tensor_type>> entries(size_of(*g[i]));
    for (std::size_t k = 0; k < entries.size(); ++k) {
      std::vector<value_type<tensor_type>> unit(entries.size());
      unit[k] = 1;
      gradients<tensor_type> direction(g.size());
      direction[i] = make_tensor<tensor_type>(shape_of(*g[i]), unit, *g[i]);
      if (auto const row = model.hessian_vector_product(trace, rule, direction)[i]) entries[k] = values_of(*row)[k];
    }
    diagonal[i] = make_tensor<tensor_type>(shape_of(*g[i]), entries, *g[i]);
  }
  return diagonal;
}

}  // namespace lnpt::detail
