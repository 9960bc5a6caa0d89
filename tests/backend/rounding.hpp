#pragma once
// The CPU engine as a GPU with tensor cores would have it: convolutions round what they multiply, and what comes out.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

#include <lnpt/backend/cpu/backend.hpp>

namespace lnpt::test {

/// To so many bits of mantissa behind the first one, to the nearest, ties to even.
inline double rounded(double x, int bits) {
  int exponent = 0;
  auto const fraction = std::frexp(x, &exponent);
  return std::ldexp(std::nearbyint(std::ldexp(fraction, bits + 1)), exponent - bits - 1);
}

struct rounding_backend : cpu::backend<double> {
  using base = cpu::backend<double>;
  static inline int bits_of_operands = 52, bits_of_sums = 52, bits_of_results = 52;
  /// Convolutions from now on; those of float sums round twice where results have fewer bits.
  static void round(int operands, int sums, int results) {
    bits_of_operands = operands;
    bits_of_sums = sums;
    bits_of_results = results;
  }

  using base::conv2d;
  using base::conv2d_input_gradient;
  using base::conv2d_weight_gradient;
  static void conv2d(array const& x, array const& w, conv_geometry const& g, array& y, bool accumulate) {
    deliver(y, accumulate, [&](array& made) { base::conv2d(operand(x), operand(w), g, made, false); });
  }
  static void conv2d_input_gradient(array const& gy, array const& w, conv_geometry const& g, shape const& x, array& gx,
                                    bool accumulate) {
    deliver(gx, accumulate, [&](array& made) { base::conv2d_input_gradient(operand(gy), operand(w), g, x, made, false); });
  }
  static void conv2d_weight_gradient(array const& x, array const& gy, conv_geometry const& g, shape const& w, array& gw,
                                     bool accumulate) {
    deliver(gw, accumulate, [&](array& made) { base::conv2d_weight_gradient(operand(x), operand(gy), g, w, made, false); });
  }
  static void conv2d_weight_gradient_squares(array const& x, array const& gy, conv_geometry const& g, shape const& w, array& sum,
                                             bool accumulate) {
    if (!accumulate) sum = cpu::filled<double>(w, 0);
    for (std::size_t b = 0; b < x.shape(1); ++b) {
      array gradient;
      conv2d_weight_gradient(sample(x, b), sample(gy, b), g, w, gradient, false);
      sum += gradient * gradient;
    }
  }

 private:
  static array operand(array const& x) { return all_rounded(x, bits_of_operands); }
  static array all_rounded(array x, int bits) {
    for (auto& each : x) each = rounded(each, bits);
    return x;
  }
  template <class Make>
  static void deliver(array& out, bool accumulate, Make make) {
    array made;
    make(made);
    made = all_rounded(all_rounded(std::move(made), bits_of_sums), bits_of_results);
    if (accumulate)
      out += made;
    else
      out = std::move(made);
  }
  /// Sample b of images [C, N, H, W].
  static array sample(array const& x, std::size_t b) {
    auto const pixels = x.shape(2) * x.shape(3);
    auto one = cpu::uninitialized<double>({x.shape(0), 1, x.shape(2), x.shape(3)});
    for (std::size_t c = 0; c < x.shape(0); ++c)
      std::copy_n(x.data() + (c * x.shape(1) + b) * pixels, pixels, one.data() + c * pixels);
    return one;
  }
};

}  // namespace lnpt::test
