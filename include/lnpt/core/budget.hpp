#pragma once
/// How much to prune, typed so that nobody confuses what stays with what goes.
#include <cmath>
#include <cstddef>
#include <type_traits>

#include <lnpt/core/error.hpp>

namespace lnpt {

namespace detail {
template <class Number>
concept arithmetic = std::is_arithmetic_v<Number>;

template <arithmetic Number>
constexpr void refuse_bare_number() {
  static_assert(!arithmetic<Number>,
                "lnpt: a bare number does not say whether it counts what is kept or what is removed. "
                "Write sparsity{0.95} or density{0.05}: the same network.");
}

template <arithmetic Number>
constexpr void refuse_bare_channel_number() {
  static_assert(!arithmetic<Number>,
                "lnpt: a bare number does not say whether it counts weights or output channels. "
                "Write channels{0.5} to remove half of the channels.");
}

[[nodiscard]] constexpr double checked_ratio(char const* what, double ratio) {
  if (!(ratio >= 0.0 && ratio <= 1.0))
    fail_request(what, '{', ratio, "} is outside [0, 1]: pass a fraction such as ", what, "{0.5}");
  return ratio;
}
}  // namespace detail

class sparsity;

/// The fraction of weights that stays. `density{0.05}` and `sparsity{0.95}` are the same network.
class density {
 public:
  template <detail::arithmetic Number>
    requires true
  constexpr explicit density(Number kept) : kept_(detail::checked_ratio("density", static_cast<double>(kept))) {}
  constexpr density(sparsity removed);  // NOLINT(google-explicit-constructor)
  [[nodiscard]] constexpr double value() const { return kept_; }

 private:
  double kept_;
};

/// The fraction of weights that goes.
class sparsity {
 public:
  template <detail::arithmetic Number>
    requires true
  constexpr explicit sparsity(Number removed) : removed_(detail::checked_ratio("sparsity", static_cast<double>(removed))) {}
  constexpr sparsity(density kept) : removed_(1.0 - kept.value()) {}  // NOLINT(google-explicit-constructor)
  [[nodiscard]] constexpr double value() const { return removed_; }

  /// Refuses a bare number, of which nobody can say what it counts.
  template <detail::arithmetic Number>
  constexpr sparsity(Number) : removed_(0) {  // NOLINT(google-explicit-constructor)
    detail::refuse_bare_number<Number>();
  }

 private:
  double removed_;
};

constexpr density::density(sparsity removed) : kept_(1.0 - removed.value()) {}

/// The fraction of output channels that goes; what `channel_structured` counts in.
class channels {
 public:
  template <detail::arithmetic Number>
    requires true
  constexpr explicit channels(Number removed) : removed_(detail::checked_ratio("channels", static_cast<double>(removed))) {}
  [[nodiscard]] constexpr double value() const { return removed_; }

  /// Refuses a bare number, of which nobody can say what it counts.
  template <detail::arithmetic Number>
  constexpr channels(Number) : removed_(0) {  // NOLINT(google-explicit-constructor)
    detail::refuse_bare_channel_number<Number>();
  }

 private:
  double removed_;
};

/// The budget of a strategy that sets the sparsity itself, such as `n_of_m`.
struct fixed_ratio {};

/// What stays under a budget, as a fraction of what the budget counts; a fixed ratio is not for the caller to choose, and is 1 here.
[[nodiscard]] constexpr density density_of(sparsity budget) { return budget; }
[[nodiscard]] constexpr density density_of(channels budget) { return density{1.0 - budget.value()}; }
[[nodiscard]] constexpr density density_of(fixed_ratio) { return density{1.0}; }

/// How many of `total` stay: ⌊d·N + ½ + 10⁻⁶⌋. The 10⁻⁶ makes up for densities such as 1 − 0.95 that fall just short of a half.
[[nodiscard]] inline std::size_t kept_count(density keep, std::size_t total) {
  return static_cast<std::size_t>(std::floor(keep.value() * static_cast<double>(total) + 0.5 + 1e-6));
}

/// Weights that are not ranked and count within a ratio: how many there are, and how many of them stay in any case.
struct kept_anyway {
  std::size_t total = 0;
  std::size_t kept = 0;
};

/// How many of `total` stay where others, which count within the ratio, stay in any case.
[[nodiscard]] inline std::size_t kept_count(density keep, std::size_t total, kept_anyway const& others) {
  auto const whole = total + others.total;
  auto const all = kept_count(keep, whole);
  if (all < others.kept) {
    auto const highest = std::floor(1e4 * static_cast<double>(whole - others.kept) / static_cast<double>(whole)) / 1e4;
    fail_request("sparsity{", 1.0 - keep.value(), "} keeps ", all, " of ", whole, " weights, but the ", others.kept,
                 " weights that have no score stay in any case: ask for sparsity{", highest,
                 "} or less, or leave the weights without a score out of the ratio");
  }
  return all - others.kept;
}

}  // namespace lnpt
