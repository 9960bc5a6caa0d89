#pragma once
/// NaN and infinite numbers, which rank and decide nothing, though comparisons make numbers of them that look like any other.
#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <ranges>
#include <span>
#include <string_view>

#include <lnpt/core/error.hpp>

namespace lnpt {

/// How many values are NaN or infinite.
template <std::floating_point T>
[[nodiscard]] std::size_t count_nonfinite(std::span<T const> values) {
  return static_cast<std::size_t>(std::ranges::count_if(values, [](T v) { return !std::isfinite(v); }));
}

namespace detail {

/// Refuses values of which any is NaN or infinite: "1 of 8 values of `what` are …, so `consequence`: `remedy`".
template <std::ranges::contiguous_range Values>
void require_finite_values(Values const& values, std::string_view what, std::string_view consequence,
                           std::string_view remedy = "use finite weights and inputs, or compute in double") {
  using value = std::ranges::range_value_t<Values>;
  std::span<value const> const all(values);
  if (auto const bad = count_nonfinite(all); bad != 0)
    fail(bad, " of ", all.size(), " values of ", what, " are NaN or infinite, so ", consequence, ": ", remedy);
}

}  // namespace detail
}  // namespace lnpt
