#pragma once
/// Stochastic gradient descent that keeps pruned weights pruned.
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include <lnpt/backend/sgd_constants.hpp>
#include <lnpt/core/execution.hpp>
#include <lnpt/core/model.hpp>
#include <lnpt/core/model_access.hpp>
#include <lnpt/mask/apply.hpp>
#include <lnpt/train/traits.hpp>

namespace lnpt {

/// SGD with momentum and weight decay under masks, where the weights are:
///
///     v ← M ⊙ (μ v + g + λ θ),      θ ← M ⊙ (θ − lr v)
///
/// Weight and momentum of a pruned weight are exactly +0 after every step (the update that Algorithm 1 of arXiv:2403.12690 prints
/// forgets the mask). One fused pass over weights, gradients and momentum by `Backend::sgd_step`; of a parameter that
/// the model holds by its kept weights alone, over those.
template <class Backend>
class masked_sgd {
 public:
  using array = typename Backend::array;

  /// Starts from rest. The masks are applied to the model at once, which then holds kept weights alone where `how` says so and it can.
  template <prunable Model>
  masked_sgd(Model& model, mask_set masks, execution how = execution::automatic, double momentum = 0.9, double weight_decay = 0)
      : how_(how), momentum_(momentum), weight_decay_(weight_decay) {
    put_under(model, std::move(masks));
    for (auto const& p : stored_parameters_of(model))
      velocity_.push_back(Backend::constant(shape_of(*p.value), 0.0, Backend::context_of(*p.value)));
  }

  /// Has the model hold its kept weights alone again, after somebody asked it for whole parameters.
  template <prunable Model>
  void hold(Model& model) {
    if constexpr (requires { model.keep_only(masks_, how_); }) model.keep_only(masks_, how_);
  }

  template <prunable Model>
  void step(Model& model, gradients<array> const& g, sgd_constants const& constants) {
    std::vector<sgd_operands<array, typename Backend::packed_mask>> operands;
    std::size_t i = 0;
    for (auto const& p : stored_parameters_of(model)) {
      auto const index = i++;
      if (!g[index]) continue;
      auto const* const kept = masks_.find(p.name);
      bool const whole = !kept || shape_of(*p.value) == kept->extents();
      auto& velocity = velocity_[index];
      if (kept && (shape_of(velocity) == kept->extents()) != whole)
        velocity = whole ? spread(*kept, velocity) : gather(*kept, velocity);
      auto const& bits = packed_[index];
      operands.push_back({p.value, &*g[index], &velocity, bits && whole ? &*bits : nullptr});
    }
    if constexpr (requires { Backend::sgd_steps(operands, constants); })
      Backend::sgd_steps(operands, constants);
    else
      for (auto const& each : operands) Backend::sgd_step(*each.w, *each.g, *each.v, each.kept, constants);
  }
  template <prunable Model>
  void step(Model& model, gradients<array> const& g, double learning_rate) {
    step(model, g, {learning_rate, momentum_, weight_decay_});
  }

  [[nodiscard]] mask_set const& masks() const { return masks_; }
  /// Goes on under other masks, which are applied to the model at once. The momentum of newly pruned weights falls to +0 with the next
  /// step; newly kept weights have none.
  template <prunable Model>
  void set_masks(Model& model, mask_set masks) {
    velocity_ = velocity(model);
    put_under(model, std::move(masks));
  }

  /// One array per parameter, in the model's order, each of its parameter's shape.
  template <prunable Model>
  [[nodiscard]] std::vector<array> velocity(Model& model) const {
    std::vector<array> whole;
    for (std::size_t i = 0; auto const& p : stored_parameters_of(model)) {
      auto const* const kept = masks_.find(p.name);
      auto const& v = velocity_[i++];
      whole.push_back(kept && shape_of(v) != kept->extents() ? spread(*kept, v) : v);
    }
    return whole;
  }
  void set_velocity(std::vector<array> v) { velocity_ = std::move(v); }

 private:
  template <class Model>
  void put_under(Model& model, mask_set masks) {
    apply(masks, model);
    masks_ = std::move(masks);
    packed_.clear();
    for (auto const& p : model.parameters()) {
      auto const* const kept = masks_.find(p.name);
      packed_.push_back(kept ? std::optional(Backend::pack(kept->words(), Backend::context_of(*p.value))) : std::nullopt);
    }
    hold(model);
  }

  /// The array of a parameter's shape whose kept elements are `values`; and the kept elements of such an array. Both go through host
  /// memory, where a model changes between whole parameters and kept weights.
  [[nodiscard]] static array spread(mask const& kept, array const& values) {
    auto const held = values_of(values);
    std::vector<value_type<array>> whole(kept.size());
    for_each_kept(kept, [&](std::size_t i, std::size_t at) { whole[at] = held[i]; });
    return Backend::make(kept.extents(), whole, Backend::context_of(values));
  }
  [[nodiscard]] static array gather(mask const& kept, array const& whole) {
    auto const all = values_of(whole);
    std::vector<value_type<array>> held(kept.count());
    for_each_kept(kept, [&](std::size_t i, std::size_t at) { held[i] = all[at]; });
    return Backend::make({held.size()}, held, Backend::context_of(whole));
  }
  template <class F>
  static void for_each_kept(mask const& kept, F f) {
    std::size_t i = 0;
    for (std::size_t w = 0; w < kept.words().size(); ++w)
      detail::for_each_bit(kept.words()[w], [&](std::size_t bit) { f(i++, w * mask::word_bits + bit); });
  }

  mask_set masks_;
  execution how_;
  double momentum_, weight_decay_;
  std::vector<std::optional<typename Backend::packed_mask>> packed_;
  std::vector<array> velocity_;
};

/// The default optimiser of training, as an argument: `sgd{.momentum = 0.9, .weight_decay = 5e-4}`. An optimiser of one's own has such
/// a `start(model, masks)`; what it gives has `step(model, gradients, learning_rate)`, `masks()` and `set_masks(model, masks)` and,
/// where a state is to be saved, `velocity(model)` and `set_velocity(…)`.
struct sgd {
  double momentum = 0.9;
  double weight_decay = 0;
  lnpt::execution execution = lnpt::execution::automatic;  ///< of masked parameters

  template <prunable Model>
  [[nodiscard]] auto start(Model& model, mask_set const& masks) const {
    return masked_sgd<typename training_traits<tensor_of<Model>>::backend>(model, masks, execution, momentum, weight_decay);
  }
};

}  // namespace lnpt
