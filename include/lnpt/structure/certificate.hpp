#pragma once
/// How far two models' answers lie apart.
#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <sstream>
#include <string>

#include <lnpt/core/error.hpp>
#include <lnpt/core/model.hpp>

namespace lnpt {

/// What a smaller network was seen to answer, beside the masked network it stands for.
struct certificate {
  std::size_t inputs = 0;         ///< samples compared
  double largest_difference = 0;  ///< of one logit
  double largest_logit = 0;       ///< of the masked network, in magnitude
  double tolerance = 0;           ///< what was allowed, relative to the largest logit

  /// The largest difference over the largest logit.
  [[nodiscard]] double relative() const {
    return largest_difference == 0 ? 0.0 : largest_logit == 0 ? largest_difference : largest_difference / largest_logit;
  }
  [[nodiscard]] bool holds() const { return relative() <= tolerance; }
  /// The numbers as a sentence of messages.
  [[nodiscard]] std::string text() const {
    std::ostringstream out;
    out << "differs by " << relative() << " of the largest logit on " << inputs << " inputs, where " << tolerance
        << " is allowed";
    return out.str();
  }
};

/// What rounding may explain: 10⁻⁵ of the largest logit in float, 10⁻¹² in double.
template <std::floating_point T>
inline constexpr double equality_tolerance = sizeof(T) == sizeof(float) ? 1e-5 : 1e-12;

/// Refuses outputs of a network that are NaN or infinite, beside which nothing is equal to it.
template <tensor T>
void require_finite_outputs(T const& outputs) {
  auto const values = values_of(outputs);
  if (!std::ranges::all_of(values, [](auto v) { return std::isfinite(v); }))
    fail(
        "the masked network's outputs are NaN or infinite on the given inputs, so that no smaller one can be held against it: "
        "pass finite inputs, and a network of finite weights");
}

/// The certificate of `found` against `expected`, both logits [B, K] of the same inputs. A value that is not finite is no equality.
template <tensor T>
[[nodiscard]] certificate compare_outputs(T const& expected, T const& found,
                                          double tolerance = equality_tolerance<value_type<T>>) {
  if (shape_of(expected) != shape_of(found))
    fail("the output has the shape ", list(shape_of(found)), " and not ", list(shape_of(expected)),
         ": only channels inside a network can go");
  auto const a = values_of(expected);
  auto const b = values_of(found);
  certificate result{.inputs = shape_of(expected).at(0), .tolerance = tolerance};
  for (std::size_t i = 0; i < a.size(); ++i) {
    auto const difference = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    // Neither is larger than a NaN, which stays.
    auto const stays = std::isnan(result.largest_difference) || difference <= result.largest_difference;
    result.largest_difference = stays ? result.largest_difference : difference;
    result.largest_logit = std::max(result.largest_logit, std::abs(static_cast<double>(a[i])));
  }
  return result;
}

}  // namespace lnpt
