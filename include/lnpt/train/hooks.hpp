#pragma once
/// What may act on training before and after every step: regularisers, changing masks, several processes.
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <lnpt/core/model.hpp>
#include <lnpt/mask/mask_set.hpp>

namespace lnpt {

/// One step as a hook sees it. Tensors are the engine's own: arithmetic on them stays on its device.
template <class T>
struct training_step {
  std::size_t epoch, step, steps;        ///< both counted from 0; steps of an epoch
  double learning_rate;                  ///< of this step
  std::vector<parameter<T>> parameters;  ///< in the model's order; there where a hook acts
  lnpt::gradients<T> gradients;          ///< of the loss; what `before_step` leaves here is what the optimiser takes
  mask_set const* masks;                 ///< those in force

  /// The number of this step in the whole run, counted from 0.
  [[nodiscard]] std::size_t of_run() const { return epoch * steps + step; }

  /// Replaces the masks when the hooks are through: pruned weights become +0 at once, revived ones start at rest.
  void set_masks(mask_set masks_to_come) { next_masks = std::move(masks_to_come); }
  std::optional<mask_set> next_masks = {};
};

/// Acts between the gradients and the optimiser's step: `before_step(step)`.
template <class H, class T>
concept acts_before_step = requires(H& hook, training_step<T>& step) { hook.before_step(step); };

/// Acts after the optimiser's step: `after_step(step)`.
template <class H, class T>
concept acts_after_step = requires(H& hook, training_step<T>& step) { hook.after_step(step); };

/// Numbers that hooks carry from epoch to epoch, by name: a checkpoint holds them beside weights and momentum.
using hook_state = std::map<std::string, std::vector<double>>;

/// Carries numbers: `save(state)` writes them under names of its own, `restore(state)` takes them back where they are there.
template <class H>
concept carries_state = requires(H& hook, hook_state& state, hook_state const& saved) { hook.save(state), hook.restore(saved); };

template <class H, class T>
concept training_hook = acts_before_step<H, T> || acts_after_step<H, T>;

/// Says before the first step whether it has anything to act on: `require_use(parameters)` refuses a model of which it has not.
template <class H, class T>
concept requires_use = requires(H const& hook, std::vector<parameter<T>> const& parameters) { hook.require_use(parameters); };

namespace detail {

/// Refuses hooks that would change nothing of a model.
template <class Model, class... Hooks>
void require_use(Model& model, Hooks const&... hooks) {
  [[maybe_unused]] auto const ask = [&](auto const& hook) {
    if constexpr (requires_use<std::remove_cvref_t<decltype(hook)>, tensor_of<Model>>) {
      std::vector<parameter<tensor_of<Model>>> const parameters = model.parameters();
      hook.require_use(parameters);
    }
  };
  (ask(hooks), ...);
}

/// Tells each hook that listens, in order.
template <class T, class... Hooks>
void before_step(training_step<T>& step, Hooks&... hooks) {
  [[maybe_unused]] auto const tell = [&](auto& hook) {
    if constexpr (acts_before_step<decltype(hook), T>) hook.before_step(step);
  };
  (tell(hooks), ...);
}
template <class T, class... Hooks>
void after_step(training_step<T>& step, Hooks&... hooks) {
  [[maybe_unused]] auto const tell = [&](auto& hook) {
    if constexpr (acts_after_step<decltype(hook), T>) hook.after_step(step);
  };
  (tell(hooks), ...);
}

/// What all hooks carry; and the converse.
template <class... Hooks>
[[nodiscard]] hook_state state_of_hooks(Hooks&... hooks) {
  hook_state state;
  [[maybe_unused]] auto const tell = [&](auto& hook) {
    if constexpr (carries_state<decltype(hook)>) hook.save(state);
  };
  (tell(hooks), ...);
  return state;
}
template <class... Hooks>
void restore_hooks(hook_state const& state, Hooks&... hooks) {
  [[maybe_unused]] auto const tell = [&](auto& hook) {
    if constexpr (carries_state<decltype(hook)>) hook.restore(state);
  };
  (tell(hooks), ...);
}

}  // namespace detail
}  // namespace lnpt
