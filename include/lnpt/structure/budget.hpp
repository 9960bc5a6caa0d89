#pragma once
/// Budgets that hold after channels are removed: of parameters and of multiply–adds.
#include <cstddef>

#include <lnpt/core/budget.hpp>

namespace lnpt {

namespace detail {

template <arithmetic Number>
constexpr void refuse_bare_share() {
  static_assert(!arithmetic<Number>,
                "lnpt: a bare number does not say what it counts. Write flops{0.65} to remove 65 % of the multiply-adds, or "
                "parameters{0.9} to remove 90 % of the parameters.");
}

/// A fraction that physical removal takes away.
class removed_share {
 public:
  static constexpr bool holds_after_removal = true;
  [[nodiscard]] constexpr double value() const { return removed_; }

 protected:
  constexpr removed_share(char const* what, double removed) : removed_(checked_ratio(what, removed)) {}

 private:
  double removed_;
};

}  // namespace detail

/// The fraction of the parameters that goes.
class parameters : public detail::removed_share {
 public:
  template <detail::arithmetic Number>
    requires true
  constexpr explicit parameters(Number removed) : removed_share("parameters", static_cast<double>(removed)) {}

  /// Refuses a bare number, of which nobody can say what it counts.
  template <detail::arithmetic Number>
  constexpr parameters(Number) : removed_share("parameters", 0) {  // NOLINT(google-explicit-constructor)
    detail::refuse_bare_share<Number>();
  }
};

/// The fraction of the multiply–adds of convolutions and linear layers that goes.
class flops : public detail::removed_share {
 public:
  template <detail::arithmetic Number>
    requires true
  constexpr explicit flops(Number removed) : removed_share("flops", static_cast<double>(removed)) {}

  /// Refuses a bare number, of which nobody can say what it counts.
  template <detail::arithmetic Number>
  constexpr flops(Number) : removed_share("flops", 0) {  // NOLINT(google-explicit-constructor)
    detail::refuse_bare_share<Number>();
  }
};

[[nodiscard]] constexpr density density_of(detail::removed_share const& budget) { return density{1.0 - budget.value()}; }

/// What a budget of channels counts in.
enum class counted { channels, parameters, flops };

template <class Budget>
inline constexpr counted counted_by = counted::channels;
template <>
inline constexpr counted counted_by<parameters> = counted::parameters;
template <>
inline constexpr counted counted_by<flops> = counted::flops;

/// The words of messages.
[[nodiscard]] constexpr char const* name_of(counted unit) {
  return unit == counted::channels ? "channels" : unit == counted::parameters ? "parameters" : "multiply-adds";
}

/// The widths an engine is good at: above `above`, multiples of `multiple`.
struct channel_rounding {
  std::size_t multiple = 1;
  std::size_t above = 0;

  /// The least such width that holds `width` channels, of `full` at most.
  [[nodiscard]] constexpr std::size_t operator()(std::size_t width, std::size_t full) const {
    if (multiple < 2 || width <= above) return width;
    auto const up = (width + multiple - 1) / multiple * multiple;
    return up < full ? up : full;
  }
};

/// The rounding of the engine that a network runs on, as its backend states it.
template <class Network>
[[nodiscard]] constexpr channel_rounding round_to() {
  using backend = typename Network::backend;
  channel_rounding result;
  if constexpr (requires { backend::output_multiple; }) result.multiple = backend::output_multiple;
  if constexpr (requires { backend::output_multiple_above; }) result.above = backend::output_multiple_above;
  return result;
}

}  // namespace lnpt
