#pragma once
/// Vectors over channels with a bound of their error.
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

namespace lnpt::autodiff {

/// A vector over channels of which the exact values lie within `error` of `value`, in double on the host.
struct bounded_channels {
  std::vector<double> value, error;

  /// Applies f(x, y) → value and e(x, ex, y, ey) → error before rounding, elementwise.
  template <class F, class E>
  [[nodiscard]] static bounded_channels zip(bounded_channels const& a, bounded_channels const& b, F f, E e) {
    bounded_channels result;
    for (std::size_t c = 0; c < a.value.size(); ++c) {
      result.value.push_back(f(a.value[c], b.value[c]));
      auto const carried = e(std::abs(a.value[c]), a.error[c], std::abs(b.value[c]), b.error[c]);
      result.error.push_back(rounded(carried, result.value.back()));
    }
    return result;
  }
  friend bounded_channels operator+(bounded_channels const& a, bounded_channels const& b) {
    return zip(a, b, [](double x, double y) { return x + y; }, [](double, double ex, double, double ey) { return ex + ey; });
  }
  friend bounded_channels operator-(bounded_channels const& a, bounded_channels const& b) {
    return zip(a, b, [](double x, double y) { return x - y; }, [](double, double ex, double, double ey) { return ex + ey; });
  }
  friend bounded_channels operator*(bounded_channels const& a, bounded_channels const& b) {
    return zip(
        a, b, [](double x, double y) { return x * y; },
        [](double x, double ex, double y, double ey) { return x * ey + y * ex + ex * ey; });
  }
  friend bounded_channels operator*(double s, bounded_channels const& a) {
    return zip(
        a, a, [s](double x, double) { return s * x; }, [s](double, double ex, double, double) { return std::abs(s) * ex; });
  }
  /// 1/√(x + ε) of values that are known exactly, as running statistics are.
  friend bounded_channels inverse_root(bounded_channels const& a, double epsilon) {
    return zip(
        a, a, [epsilon](double x, double) { return 1.0 / std::sqrt(x + epsilon); },
        [](double, double ex, double, double) { return ex == 0 ? 0 : std::numeric_limits<double>::infinity(); });
  }

 private:
  /// An error that also covers four roundings of a result, and its own.
  [[nodiscard]] static double rounded(double carried, double value) {
    constexpr double unit = std::numeric_limits<double>::epsilon();
    return carried * (1 + 8 * unit) + 4 * unit * std::abs(value) + std::numeric_limits<double>::min();
  }
};

}  // namespace lnpt::autodiff
