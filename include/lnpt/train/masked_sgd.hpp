#pragma once
/// Stochastic gradient descent that keeps pruned weights pruned.
#include <span>
#include <string>
#include <vector>

#include <lnpt/backend/cpu/sgd.hpp>
#include <lnpt/core/model.hpp>
#include <lnpt/mask/apply.hpp>

namespace lnpt {

/// SGD with momentum and weight decay under masks, on host memory:
///
///     v ← M ⊙ (μ v + g + λ θ),      θ ← M ⊙ (θ − lr v)
///
/// Weight and momentum of a pruned weight are exactly +0 after every step (the update that Algorithm 1 of arXiv:2403.12690 prints
/// forgets the mask). One fused pass over weights, gradients and momentum.
template <class T>
class masked_sgd {
 public:
  /// Starts from rest. The masks are applied to the model at once.
  template <prunable Model>
  masked_sgd(Model& model, mask_set masks) : masks_(std::move(masks)) {
    apply(masks_, model);
    for (auto const& p : model.parameters()) velocity_.push_back(cpu::filled<T>(shape_of(*p.value), T{0}));
  }

  template <prunable Model>
  void step(Model& model, gradients<cpu::array<T>> const& g, sgd_constants const& constants) {
    std::size_t i = 0;
    for (auto const& p : model.parameters()) {
      auto const index = i++;
      if (!g[index]) continue;
      auto const* const kept = masks_.find(p.name);
      cpu::sgd_step(*p.value, *g[index], velocity_[index], kept ? kept->words() : std::span<mask::word const>{}, constants);
    }
  }

  [[nodiscard]] mask_set const& masks() const { return masks_; }
  /// One array per parameter, in the model's order.
  [[nodiscard]] std::vector<cpu::array<T>> const& velocity() const { return velocity_; }
  void set_velocity(std::vector<cpu::array<T>> v) { velocity_ = std::move(v); }

 private:
  mask_set masks_;
  std::vector<cpu::array<T>> velocity_;
};

}  // namespace lnpt
