#pragma once
/// Stochastic gradient descent that keeps pruned weights pruned.
#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <lnpt/backend/cpu/sgd.hpp>
#include <lnpt/core/execution.hpp>
#include <lnpt/core/model.hpp>
#include <lnpt/mask/apply.hpp>

namespace lnpt {

/// SGD with momentum and weight decay under masks, on host memory:
///
///     v ← M ⊙ (μ v + g + λ θ),      θ ← M ⊙ (θ − lr v)
///
/// Weight and momentum of a pruned weight are exactly +0 after every step (the update that Algorithm 1 of arXiv:2403.12690 prints
/// forgets the mask). One fused pass over weights, gradients and momentum; of a parameter that the model holds by its kept weights alone,
/// over those.
template <class T>
class masked_sgd {
 public:
  /// Starts from rest. The masks are applied to the model at once, which then holds kept weights alone where `how` says so and it can.
  template <prunable Model>
  masked_sgd(Model& model, mask_set masks, execution how = execution::automatic) : masks_(std::move(masks)), how_(how) {
    apply(masks_, model);
    hold(model);
    for (auto const& p : stored_parameters_of(model)) velocity_.push_back(cpu::filled<T>(shape_of(*p.value), T{0}));
  }

  /// Has the model hold its kept weights alone again, after somebody asked it for whole parameters.
  template <prunable Model>
  void hold(Model& model) {
    if constexpr (requires { model.keep_only(masks_, how_); }) model.keep_only(masks_, how_);
  }

  template <prunable Model>
  void step(Model& model, gradients<cpu::array<T>> const& g, sgd_constants const& constants) {
    std::size_t i = 0;
    for (auto const& p : stored_parameters_of(model)) {
      auto const index = i++;
      if (!g[index]) continue;
      auto const* const kept = masks_.find(p.name);
      bool const whole = !kept || shape_of(*p.value) == kept->extents();
      auto& velocity = velocity_[index];
      if (kept && (shape_of(velocity) == kept->extents()) != whole)
        velocity = whole ? spread(*kept, velocity) : gather(*kept, velocity);
      cpu::sgd_step(*p.value, *g[index], velocity, kept && whole ? kept->words() : std::span<mask::word const>{}, constants);
    }
  }

  [[nodiscard]] mask_set const& masks() const { return masks_; }

  /// One array per parameter, in the model's order, each of its parameter's shape.
  template <prunable Model>
  [[nodiscard]] std::vector<cpu::array<T>> velocity(Model& model) const {
    std::vector<cpu::array<T>> whole;
    for (std::size_t i = 0; auto const& p : stored_parameters_of(model)) {
      auto const* const kept = masks_.find(p.name);
      auto const& v = velocity_[i++];
      whole.push_back(kept && shape_of(v) != kept->extents() ? spread(*kept, v) : v);
    }
    return whole;
  }
  void set_velocity(std::vector<cpu::array<T>> v) { velocity_ = std::move(v); }

 private:
  /// The array of a parameter's shape whose kept elements are `values`; and the kept elements of such an array.
  [[nodiscard]] static cpu::array<T> spread(mask const& kept, cpu::array<T> const& values) {
    auto whole = cpu::filled<T>(kept.extents(), T{0});
    for_each_kept(kept, [&](std::size_t i, std::size_t at) { whole.data()[at] = values.data()[i]; });
    return whole;
  }
  [[nodiscard]] static cpu::array<T> gather(mask const& kept, cpu::array<T> const& whole) {
    auto values = cpu::uninitialized<T>({kept.count()});
    for_each_kept(kept, [&](std::size_t i, std::size_t at) { values.data()[i] = whole.data()[at]; });
    return values;
  }
  template <class F>
  static void for_each_kept(mask const& kept, F f) {
    std::size_t i = 0;
    for (std::size_t w = 0; w < kept.words().size(); ++w)
      detail::for_each_bit(kept.words()[w], [&](std::size_t bit) { f(i++, w * mask::word_bits + bit); });
  }

  mask_set masks_;
  execution how_;
  std::vector<cpu::array<T>> velocity_;
};

}  // namespace lnpt
