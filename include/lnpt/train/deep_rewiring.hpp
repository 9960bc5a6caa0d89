#pragma once
/// Deep rewiring: a random walk of connections whose number stays.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/core/finite.hpp>
#include <lnpt/core/random.hpp>
#include <lnpt/regulariser/regulariser.hpp>
#include <lnpt/train/rigl.hpp>

namespace lnpt {

/// Deep rewiring. Bellec, Kappel, Maass, Legenstein, ICLR 2018, arXiv:1711.05136, Algorithm 1.
///
/// A connection k has a strength θ_k ≥ 0 and a sign s_k that stays while it lives, w_k = s_k θ_k. After the optimiser's step
///
///     θ_k ← θ_k − lr α + √(2 lr T) ν_k,      ν_k ~ N(0, 1)
///
/// and a connection whose strength falls below zero rests; as many resting ones are drawn to live on, at strength 0 and with a sign
/// that belongs to their place. So every mask keeps its count. Here each mask does so by itself, in the paper all share one count.
///
/// A training hook. Every draw is a function of (seed, step, place), so that it carries nothing: masks are in checkpoints. Reads what
/// the loss reads. Costs a copy of the masked weights to the host and back at every step.
class deep_rewiring {
 public:
  explicit deep_rewiring(double alpha = 1e-5, double temperature = 0, std::uint64_t seed = 0)
      : alpha_(alpha), temperature_(temperature), seed_(seed) {
    if (!(alpha >= 0) || !(temperature >= 0))
      fail_request("connections cannot shrink by ", alpha, " at a temperature of ", temperature, ": pass 0 or more for both");
  }

  /// Remembers the signs of the connections that live.
  template <class T>
  void before_step(training_step<T>& at) {
    detail::require_masks(at, "deep_rewiring");
    signs_.assign(at.parameters.size(), {});
    for (std::size_t i = 0; i < at.parameters.size(); ++i) {
      if (at.masks->find(at.parameters[i].name) == nullptr) continue;
      for (std::size_t k = 0; auto const w : detail::doubles_of(*at.parameters[i].value)) {
        signs_[i].push_back(w > 0 || (w == 0 && rademacher(seed_, i, k) > 0) ? 1 : -1);
        ++k;
      }
    }
  }
  template <class T>
  void after_step(training_step<T>& at) {
    auto masks = *at.masks;
    bool moved = false;
    for (auto& kept : masks)
      for (std::size_t i = 0; i < at.parameters.size(); ++i) {
        if (at.parameters[i].name != kept.name()) continue;
        auto weights = detail::doubles_of(*at.parameters[i].value);
        detail::require_finite_values(weights, at.parameters[i].name, "deep_rewiring knows no strength of its connections",
                                      "lower the learning rate");
        auto const fallen = walk(weights, kept, signs_[i], at.learning_rate, at.of_run(), i);
        detail::assign_doubles(*at.parameters[i].value, weights);
        wake(kept, fallen, at.of_run(), i);
        moved |= fallen != 0;
      }
    if (moved) at.set_masks(std::move(masks));
  }

 private:
  /// Moves the living weights; how many fell to rest.
  std::size_t walk(std::vector<double>& weights, mask& kept, std::vector<signed char> const& signs, double rate, std::size_t t,
                   std::size_t parameter) const {
    auto const noise = std::sqrt(2 * rate * temperature_);
    std::size_t fallen = 0;
    for (std::size_t k = 0; k < weights.size(); ++k) {
      if (!kept[k]) continue;
      auto strength = signs[k] * weights[k] - rate * alpha_;
      if (noise > 0) strength += noise * normal(seed_, t, parameter, k).first;
      weights[k] = strength < 0 ? 0 : signs[k] * strength;
      if (strength >= 0) continue;
      kept.set(k, false);
      ++fallen;
    }
    return fallen;
  }
  /// Draws as many places that rest, each with the same chance.
  void wake(mask& kept, std::size_t count, std::size_t t, std::size_t parameter) const {
    if (count == 0) return;
    auto resting = detail::places_of(kept, false);
    for (std::size_t drawn = 0; drawn < count; ++drawn) {
      auto const bits = random_bits(~seed_, t, parameter, drawn);
      std::swap(resting[drawn], resting[drawn + random_below(static_cast<std::uint32_t>(resting.size() - drawn), bits)]);
      kept.set(resting[drawn], true);
    }
  }

  double alpha_, temperature_;
  std::uint64_t seed_;
  std::vector<std::vector<signed char>> signs_;
};

}  // namespace lnpt
