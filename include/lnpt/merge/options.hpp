#pragma once
/// How units are merged, and what a merge is worth.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>

#include <lnpt/core/error.hpp>

namespace lnpt {

/// How the pairs of one step are chosen among disjoint candidates in the order of their saliency.
enum class merge_mode {
  saliency,   ///< the first n
  impact,     ///< of the first 2n the n of the lowest score
  stochastic  ///< in order, each accepted or not as simulated annealing does
};

/// How the L1 width of a change enters a score. The published σ is 1 for every width above 37, and then no longer ranks.
enum class impact_norm { log1p, sigmoid, raw };

struct merge_options {
  double target = 0.5;  ///< the fraction of all hidden units that goes: an exact count, rounded to the nearest
  double step = 0.025;  ///< the fraction of a layer that goes before bounds are computed again
  merge_mode mode = merge_mode::stochastic;
  impact_norm norm = impact_norm::log1p;
  double impact_weight = 0.75, entropy_weight = 0.25;  ///< α and β
  double similarity = 0.9;                             ///< from which on two outputs count as changed alike
  double temperature = 1;                              ///< multiplies that of the annealing; 0: only what is no worse is accepted
  bool recursive = true;                               ///< whether a unit that took up another may take part again
  std::uint64_t seed = 0;
  std::function<void(std::size_t merges, std::size_t target)> progress = nullptr;  ///< called after every step of a layer
};

/// What a merge does to the outputs: the sum of the widths of their changes, and how unlike they are.
struct merge_effect {
  double impact = 0, entropy = 0;
};

/// c = α · log1p(L) + β · E; by the published sigmoid α · σ(L) + β · σ(E). Lower is better.
[[nodiscard]] inline double merge_score(merge_effect const& effect, merge_options const& o = {}) {
  auto const logistic = [](double x) { return 1 / (1 + std::exp(-x)); };
  switch (o.norm) {
    case impact_norm::sigmoid: return o.impact_weight * logistic(effect.impact) + o.entropy_weight * logistic(effect.entropy);
    case impact_norm::raw: return o.impact_weight * effect.impact + o.entropy_weight * effect.entropy;
    default: return o.impact_weight * std::log1p(effect.impact) + o.entropy_weight * effect.entropy;
  }
}

/// The chance that annealing accepts a score that is worse than the last accepted one, once a fraction of the layer took part:
///
///     exp(−(c − c_last) / T),      T = temperature · (1.0001 − fraction)
[[nodiscard]] inline double merge_acceptance(double score, double last, double fraction, merge_options const& o = {}) {
  if (score <= last) return 1;
  auto const temperature = o.temperature * (1.0001 - fraction);
  return temperature > 0 ? std::exp(-(score - last) / temperature) : 0;
}

namespace detail {

inline void require_merge_options(merge_options const& o) {
  if (!(o.target >= 0 && o.target < 1))
    fail_request("a target of ", o.target, " is outside [0, 1): pass the fraction of hidden units that goes, such as 0.5");
  if (!(o.step > 0 && o.step <= 1))
    fail_request("a step of ", o.step, " is outside (0, 1]: pass the fraction of a layer, such as 0.025");
  if (!(o.temperature >= 0)) fail_request("a temperature of ", o.temperature, " accepts nothing: pass 0 or more");
  if (!(o.impact_weight >= 0 && o.entropy_weight >= 0))
    fail_request("weights of ", o.impact_weight, " and ", o.entropy_weight, " reward harm: pass 0 or more for both");
}

}  // namespace detail
}  // namespace lnpt
