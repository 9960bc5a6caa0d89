#pragma once
/// The budget a mask strategy is given: what it counts in, and one sentence for everything else.
#include <concepts>
#include <optional>
#include <tuple>
#include <type_traits>

#include <lnpt/core/budget.hpp>

namespace lnpt {

namespace detail {

/// The sentence for a strategy that counts in `Budget` and is given something else.
template <class Budget, class Given>
constexpr void refuse_budget() {
  if constexpr (std::same_as<Budget, channels>)
    static_assert(
        is_refused<Given>,
        "lnpt: this mask strategy counts output channels, not weights. Write channels{0.5}, or choose global_unstructured.");
  else if constexpr (std::same_as<Budget, fixed_ratio>)
    static_assert(is_refused<Given>,
                  "lnpt: this mask strategy sets the sparsity itself. Leave the budget out, or choose global_unstructured.");
  else if constexpr (requires { Budget::holds_after_removal; })
    static_assert(
        is_refused<Given>,
        "lnpt: this mask strategy counts what physical removal takes away. Write flops{0.65} for coupled_channels<flops>, or "
        "parameters{0.9} for coupled_channels<parameters>.");
  else
    static_assert(
        is_refused<Given>,
        "lnpt: this mask strategy counts weights, not output channels. Write sparsity{0.95} or density{0.05}, or choose "
        "channel_structured.");
}

/// Takes the place of a ratio under a wrong name, and refuses whatever is written there.
struct misnamed_budget {
  constexpr misnamed_budget() = default;
  template <class Given>
  constexpr misnamed_budget(Given) {  // NOLINT(google-explicit-constructor)
    static_assert(
        is_refused<Given>,
        "lnpt: the ratio of prune_options is called budget. Write {.budget = sparsity{0.95}} or {.budget = density{0.05}}: "
        "the same network.");
  }
};

/// The sentence for a call whose last argument is no options.
template <class Arguments>
constexpr void refuse_missing_options() {
  using last = std::tuple_element_t<std::tuple_size_v<Arguments> - 1, Arguments>;
  if constexpr (std::is_arithmetic_v<last>)
    refuse_bare_number<last>();
  else
    static_assert(is_refused<Arguments>,
                  "lnpt: how much to prune is missing. End the call with {.budget = sparsity{0.95}} (or density{0.05}), for "
                  "channel_structured {.budget = channels{0.5}}.");
}

}  // namespace detail

/// A `Mask::budget`, from whatever converts to it. A fixed ratio may be left out.
template <class Mask>
class budget_of {
 public:
  /// Anything is a budget of a `Mask` that is no strategy, so that the door refuses the strategy and not its budget.
  template <class Given>
  constexpr budget_of(Given) {}  // NOLINT(google-explicit-constructor)
};

template <class Mask>
  requires requires { typename Mask::budget; }
class budget_of<Mask> {
 public:
  using type = typename Mask::budget;

  constexpr budget_of()
    requires std::same_as<type, fixed_ratio>
      : value_(type{}) {}
  /// Left out where the strategy needs one: refused, not a puzzle about initialiser lists.
  template <class Nothing = void>
    requires(!std::same_as<type, fixed_ratio>)
  constexpr budget_of() {
    static_assert(
        !std::same_as<Nothing, void>,
        "lnpt: how much to prune is missing. Write {.budget = sparsity{0.95}} (or density{0.05}), for channel_structured "
        "{.budget = channels{0.5}}.");
  }
  template <std::convertible_to<type> Given>
  constexpr budget_of(Given given) : value_(converted(given)) {}  // NOLINT(google-explicit-constructor)
  template <class Given>
    requires(!std::convertible_to<Given, type>)
  constexpr budget_of(Given) {  // NOLINT(google-explicit-constructor)
    detail::refuse_budget<type, Given>();
  }
  [[nodiscard]] constexpr type value() const { return *value_; }

 private:
  /// Implicitly, as an argument of that type would be: a bare number meets its own refusal.
  [[nodiscard]] static constexpr type converted(type given) { return given; }

  std::optional<type> value_;
};

}  // namespace lnpt
