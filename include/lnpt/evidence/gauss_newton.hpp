#pragma once
/// The Gauss–Newton diagonal of a loss, with probes and without.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include <lnpt/core/model_access.hpp>
#include <lnpt/core/random.hpp>
#include <lnpt/evidence/curvature.hpp>
#include <lnpt/evidence/problem.hpp>
#include <lnpt/evidence/sample_squares.hpp>

namespace lnpt {

namespace detail {

/// What the loss reads of a prediction: the features or the logits.
template <class Loss, class T>
[[nodiscard]] T const& read_by(prediction<T> const& predicted) {
  require_features<Loss>(predicted);
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

/// Σ_b (J_bᵀ S_b z_b)² of one part.
template <class Problem>
[[nodiscard]] auto probe_squares(Problem const& problem, typename Problem::part const& p, typename Problem::trace_type& trace,
                                 typename Problem::tensor_type const& z, std::size_t group) {
  auto const slope = loss_curvature_probe(problem.loss(), prediction_of(problem.model(), trace), z);
  return sample_squares(problem, p, trace, slope, group);
}

}  // namespace detail

/// The Gauss–Newton diagonal by random probes, an independent one for each sample, squares accumulated per sample:
///
///     c_i = 1/B Σ_b ‖S_bᵀ ∂f_b/∂θ_i‖²  =  E_z 1/B Σ_b (∂⟨S_b z_b, f_b⟩/∂θ_i)²,     z Rademacher,  S_b S_bᵀ = ∂²ℓ/∂f_b²
///
/// For the learning gap c_i = 2/B Σ_bk (∂m_bk/∂θ_i)², which *is* the Hessian's diagonal for networks of linear, convolution, ReLU,
/// pooling and add layers with constant normalisation. One backward per probe. Refused where batch statistics couple the samples.
template <int Probes = 1>
struct gauss_newton {
  static_assert(
      Probes > 0,
      "lnpt: gauss_newton needs at least one probe. Write gauss_newton<1>, or gauss_newton_exact for the sum without probes.");
  static constexpr int probes = Probes;
  static constexpr evidence_needs needs{.data = true, .gradients = true, .probes = true};

  template <class Problem>
  [[nodiscard]] static auto of_part(Problem const& problem, typename Problem::part const& p,
                                    typename Problem::trace_type& trace) {
    detail::require_uncoupled_samples(problem, "gauss_newton", ", or use gauss_newton_exact");
    auto const predicted = prediction_of(problem.model(), trace);
    auto const& read = detail::read_by<std::remove_cvref_t<decltype(problem.loss())>>(predicted);
    auto const& options = problem.options();
    auto const count = options.probes > 0 ? options.probes : Probes;
    gradients<typename Problem::tensor_type> c;
    for (int k = 0; k < count; ++k) {
      auto const z = detail::rademacher_probe(read, options.seed, static_cast<std::uint64_t>(k), p.first_sample);
      detail::accumulate(c, detail::probe_squares(problem, p, trace, z, options.sample_group));
    }
    detail::scale(c, 1.0 / (count * static_cast<double>(problem.samples())));
    return c;
  }
};

/// The same sum without probes, one backward per output: for tests and small networks. Exact under batch statistics too, where it
/// takes one backward per sample and output.
struct gauss_newton_exact {
  static constexpr evidence_needs needs{.data = true, .gradients = true, .probes = true};

  template <class Problem>
  [[nodiscard]] static auto of_part(Problem const& problem, typename Problem::part const& p,
                                    typename Problem::trace_type& trace) {
    auto& model = problem.model();
    auto const predicted = prediction_of(model, trace);
    auto const& read = detail::read_by<std::remove_cvref_t<decltype(problem.loss())>>(predicted);
    auto const width = size_of(read) / p.samples;
    auto const coupled = problem.norm().mode == norm_mode::train && has_normalization(model);
    gradients<typename Problem::tensor_type> c;
    for (std::size_t k = 0; k < width; ++k) {
      if (!coupled) {
        detail::accumulate(c, detail::probe_squares(problem, p, trace, detail::unit_probe(read, k), 1));
        continue;
      }
      for (std::size_t b = 0; b < p.samples; ++b) {
        auto const slope = loss_curvature_probe(problem.loss(), predicted, detail::unit_probe(read, k, b));
        detail::accumulate_squares(
            c, detail::checked_gradients(model, "backward()", model.backward(trace, slope, which_gradients::prunable)));
      }
    }
    detail::scale(c, 1.0 / static_cast<double>(problem.samples()));
    return c;
  }
};

}  // namespace lnpt
