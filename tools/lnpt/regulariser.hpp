#pragma once
/// What acts on training: regularisers, and masks that move.
#include <concepts>
#include <cstddef>
#include <functional>
#include <string>
#include <variant>
#include <vector>

#include <lnpt/regulariser/deep_hoyer.hpp>
#include <lnpt/regulariser/group_lasso.hpp>
#include <lnpt/regulariser/polarization.hpp>
#include <lnpt/regulariser/preserve_trainability.hpp>
#include <lnpt/regulariser/slimming.hpp>
#include <lnpt/regulariser/soft_masks.hpp>
#include <lnpt/regulariser/structure_selection.hpp>
#include <lnpt/train/deep_rewiring.hpp>
#include <lnpt/train/rigl.hpp>

#include "hook_spec.hpp"
#include "scoring.hpp"

namespace cli {

/// What a run of training takes to build them.
struct hooked_run {
  lnpt::shape input;
  std::size_t steps = 0;  ///< of the whole run
  bool masked = false;
  std::uint64_t seed = 0;
};

/// The regularisers of one run of training and the masks that move, as one training hook.
class training_hooks {
 public:
  /// Refuses options that one does not have, runs that end before it is done, and masks that are to move where there are none.
  training_hooks(std::vector<hook_spec> const& specs, cpu_network<float>& network, hooked_run const& run);

  /// Refuses a network that one of them has nothing to act on of.
  template <class T>
  void require_use(std::vector<lnpt::parameter<T>> const& parameters) const {
    for (auto const& each : hooks_)
      std::visit(
          [&](auto const& hook) {
            if constexpr (requires { hook.require_use(parameters); }) hook.require_use(parameters);
          },
          each.hook);
  }
  template <class T>
  void before_step(lnpt::training_step<T>& at) {
    for (auto& each : hooks_) std::visit([&](auto& hook) { lnpt::detail::before_step(at, hook); }, each.hook);
  }
  /// Also says, at the end of an epoch, where they are.
  template <class T>
  void after_step(lnpt::training_step<T>& at) {
    for (auto& each : hooks_) std::visit([&](auto& hook) { lnpt::detail::after_step(at, hook); }, each.hook);
    if (at.next_masks) moved_ += woken(*at.masks, *at.next_masks);
    if (at.step + 1 != at.steps) return;
    text_.clear();
    for (auto const& each : hooks_) text_ += describe(each, at.of_run(), measure(each, at.parameters, at.of_run()));
    moved_ = 0;
  }
  void save(lnpt::hook_state& state) const;
  void restore(lnpt::hook_state const& state);

  [[nodiscard]] bool empty() const { return hooks_.empty(); }
  /// λ, what it adds to the loss or what is left of what is to go, and how many weights moved, when the last epoch ended.
  [[nodiscard]] std::string const& text() const { return text_; }

 private:
  using any_hook =
      std::variant<lnpt::regularise<lnpt::slimming>, lnpt::regularise<lnpt::polarization>, lnpt::regularise<lnpt::deep_hoyer>,
                   lnpt::regularise<lnpt::group_lasso>, lnpt::structure_selection, lnpt::soft_masks, lnpt::preserve_trainability,
                   lnpt::rigl, lnpt::deep_rewiring>;
  struct named_hook {
    std::string name;
    any_hook hook;
    std::function<double(std::size_t step)> strength;
    char const* quantity = "lambda";  ///< what the strength is
  };

  /// Of TPP the norm of what is to go, of other regularisers what they add to the loss.
  template <class T>
  [[nodiscard]] static double measure(named_hook const& each, std::vector<lnpt::parameter<T>> const& parameters,
                                      std::size_t step) {
    return std::visit(
        [&]<class Hook>(Hook const& hook) {
          if constexpr (requires { hook.value(parameters, step); })
            return hook.value(parameters, step);
          else if constexpr (std::same_as<Hook, lnpt::structure_selection>)
            return lnpt::slimming{each.strength(step)}.value(parameters);
          else if constexpr (std::same_as<Hook, lnpt::preserve_trainability>)
            return hook.regulariser().norm_of_removed(parameters);
          else
            return 0.0;
        },
        each.hook);
  }
  [[nodiscard]] std::string describe(named_hook const& each, std::size_t step, double measured) const;
  /// How many weights one set of masks keeps and the other before it did not.
  [[nodiscard]] static std::size_t woken(lnpt::mask_set const& before, lnpt::mask_set const& after);

  std::vector<named_hook> hooks_;
  std::size_t moved_ = 0;  ///< weights that masks took up in this epoch
  std::string text_;
};

}  // namespace cli
