#pragma once
/// The one training loop, for every engine.
#include <algorithm>
#include <concepts>
#include <cstddef>
#include <type_traits>
#include <utility>

#include <lnpt/schedule/cosine.hpp>
#include <lnpt/train/accuracy.hpp>
#include <lnpt/train/diagnosis.hpp>
#include <lnpt/train/hooks.hpp>
#include <lnpt/train/lesson.hpp>
#include <lnpt/train/loss_meter.hpp>
#include <lnpt/train/options.hpp>

namespace lnpt {

/// A learning-rate schedule: the rate at `step` of `steps` of the whole run, from the first rate.
template <class S>
concept learning_rate_schedule = requires(S const& s, std::size_t step, std::size_t steps, double initial) {
  { s(step, steps, initial) } -> std::convertible_to<double>;
};

/// What `train_loop` runs on: a model on some engine with an optimiser under masks. `engine_kit` (train/train.hpp) is one, LibTorch's
/// is another (torch/train/train.hpp). Templates beside these: `steps(data, options)`, how many steps an epoch has;
/// `store(data)`, what batches are made from; `for_each_lesson<needs>(store, data, epoch, guide, options, learn)`; `gradients_of(lesson, loss, meter, look)`, which adds the loss to the
/// meter if it is to look, before anything changes.
template <class Kit>
concept training_kit =
    requires(Kit& kit, training_step<typename Kit::tensor_type>& step, train_state const& state, mask_set masks) {
      { Kit::loss_every } -> std::convertible_to<std::size_t>;
      kit.model();          // the model that learns
      kit.training_mode();  // a guard for the steps of an epoch
      kit.step(step);       // the optimiser's step with these gradients at this rate
      { kit.masks() } -> std::convertible_to<mask_set const&>;
      kit.set_masks(std::move(masks));
      { kit.velocity() } -> std::same_as<std::vector<cpu::array<float>>>;
      kit.save(state);  // after an epoch
    };

namespace detail {

/// Those that hooks had set when the state was taken, else those that training was given. A run that goes on is never under any other:
/// masks that have moved keep weights which the first ones clear.
[[nodiscard]] inline mask_set const& masks_to_go_on_with(mask_set const& given, train_state const& from) {
  return from.masks.empty() ? given : from.masks;
}

/// Trains until `options.epochs`, from `state` on.
template <training_kit Kit, class Data, class Test, class Guide, class Loss, learning_rate_schedule Schedule, class... Hooks>
train_state train_loop(Kit& kit, Data const& data, Test const& test, Guide const& guide, Loss const& loss,
                       train_options const& options, Schedule const& rate_at, train_state state, train_observer const& observer,
                       Hooks&... hooks) {
  using tensor_type = typename Kit::tensor_type;
  auto const steps = kit.steps(data, options);
  auto const& store = kit.store(data);
  auto const every = options.loss_every == as_engine_likes ? Kit::loss_every : options.loss_every;
  auto const epoch_of_steps = [&](loss_meter& meter) {
    [[maybe_unused]] auto const mode = kit.training_mode();
    kit.template for_each_lesson<Loss::needs>(
        store, data, state.epoch, guide, options, [&](std::size_t step, auto const& lesson) {
          if (observer.on_step) observer.on_step(state.epoch, step, steps);
          auto const rate = rate_at(state.epoch * steps + step, options.epochs * steps, options.learning_rate);
          std::vector<parameter<tensor_type>> views;
          if constexpr ((training_hook<std::remove_const_t<Hooks>, tensor_type> || ...)) views = kit.model().parameters();
          training_step<tensor_type> at{
              state.epoch, step, steps, rate, std::move(views), kit.gradients_of(lesson, loss, meter, meter.looks_at(step)),
              &kit.masks()};
          before_step(at, hooks...);
          kit.step(at);
          after_step(at, hooks...);
          if (!at.next_masks) return;
          state.masks = *at.next_masks;
          kit.set_masks(std::move(*at.next_masks));
        });
  };
  restore_hooks(state.hooks, hooks...);
  while (state.epoch < options.epochs) {
    loss_meter meter(state.epoch, steps, every);
    epoch_of_steps(meter);
    ++state.epoch;
    state.last_loss = meter.mean();
    state.last_accuracy = accuracy(kit.model(), test);
    state.best_accuracy = std::max(state.best_accuracy, state.last_accuracy);
    state.velocity = kit.velocity();
    state.hooks = state_of_hooks(hooks...);
    kit.save(state);
    if (observer.on_epoch) observer.on_epoch(state);
  }
  return state;
}

/// An optimiser before it knows the model.
template <class P, class Model>
concept starts_optimiser = requires(P& policy, Model& model, mask_set const& masks) { policy.start(model, masks); };

/// Has the steps of a kit shared by several processes: `shared(kit)` is the kit that training runs on (distributed/train.hpp).
template <class P>
concept shares_steps = requires { requires P::shares_steps; };

/// Says how processes share a step; nothing to do where one has all of it.
template <class P>
concept concerns_sharing = requires { requires P::concerns_sharing; };

/// What the further arguments of `train` may be.
template <class P, class Model>
concept training_policy = learning_rate_schedule<P> || starts_optimiser<P, Model> || training_hook<P, tensor_of<Model>> ||
                          shares_steps<P> || concerns_sharing<P>;

/// The kit that training runs on.
template <class Kit>
[[nodiscard]] Kit& kit_for(Kit& kit) {
  return kit;
}
template <class Kit, class First, class... More>
[[nodiscard]] decltype(auto) kit_for(Kit& kit, First& first, More&... more) {
  if constexpr (shares_steps<First>)
    return first.shared(kit);
  else
    return kit_for(kit, more...);
}

/// The first of `more` that `Is` holds for, or else `otherwise`.
template <class Is, class Otherwise>
[[nodiscard]] auto& first_that(Is, Otherwise& otherwise) {
  return otherwise;
}
template <class Is, class Otherwise, class First, class... More>
[[nodiscard]] auto& first_that(Is is, Otherwise& otherwise, First& first, More&... more) {
  if constexpr (Is{}.template operator()<First>())
    return first;
  else
    return first_that(is, otherwise, more...);
}

}  // namespace detail
}  // namespace lnpt
