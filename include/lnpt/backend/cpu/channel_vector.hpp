#pragma once
/// The CPU backend's vectors over channels: the small ones between the passes of batch normalisation.
#include <cmath>
#include <cstddef>
#include <vector>

namespace lnpt::cpu {

/// A vector over channels with elementwise arithmetic. Always double, so that moments of float data do not cancel.
struct channel_vector {
  std::vector<double> values;

  template <class F>
  friend channel_vector map(channel_vector const& a, F f) {
    channel_vector result{std::vector<double>(a.values.size())};
    for (std::size_t c = 0; c < a.values.size(); ++c) result.values[c] = f(a.values[c]);
    return result;
  }
  template <class F>
  friend channel_vector zip(channel_vector const& a, channel_vector const& b, F f) {
    channel_vector result{std::vector<double>(a.values.size())};
    for (std::size_t c = 0; c < a.values.size(); ++c) result.values[c] = f(a.values[c], b.values[c]);
    return result;
  }
  friend channel_vector operator+(channel_vector const& a, channel_vector const& b) {
    return zip(a, b, [](double x, double y) { return x + y; });
  }
  friend channel_vector operator-(channel_vector const& a, channel_vector const& b) {
    return zip(a, b, [](double x, double y) { return x - y; });
  }
  friend channel_vector operator*(channel_vector const& a, channel_vector const& b) {
    return zip(a, b, [](double x, double y) { return x * y; });
  }
  friend channel_vector operator*(double s, channel_vector const& a) {
    return map(a, [s](double x) { return s * x; });
  }
};

/// 1/√(x + ε)
[[nodiscard]] inline channel_vector inverse_root(channel_vector const& x, double epsilon) {
  return map(x, [epsilon](double v) { return 1.0 / std::sqrt(v + epsilon); });
}

}  // namespace lnpt::cpu
