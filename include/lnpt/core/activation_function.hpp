#pragma once
/// The activation functions of PyTorch's networks, as values: a kind and its constants.
#include <limits>

namespace lnpt {

enum class activation_kind {
  hardtanh,      ///< x between `low` and `high`: ReLU6 is that between 0 and 6
  leaky_relu,    ///< x, and `slope`·x below 0
  elu,           ///< x, and `slope`·(eˣ − 1) below 0
  silu,          ///< x σ(x), σ(x) = 1/(1 + e⁻ˣ)
  sigmoid,       ///< σ(x)
  hardswish,     ///< x·hardsigmoid(x)
  hardsigmoid,   ///< (x + 3)/6 between 0 and 1
  gelu,          ///< x Φ(x), Φ the normal distribution. Hendrycks, Gimpel, arXiv:1606.08415
  gelu_by_tanh,  ///< ½ x (1 + tanh √(2/π)(x + 0.044715 x³)), what PyTorch calls approximate="tanh"
  tanh,
  reciprocal,  ///< 1/x, by which `divide` multiplies
};

/// One function of one number, with a first and a second derivative wherever it has one; at a kink those of PyTorch 2.15's autograd.
///
/// What is pruned puts exact zeros before these functions, so that kinks are met. There the first derivative is that of the flatter side
/// of hardtanh and hardsigmoid, 0; hardswish has 0 at −3 and 1 at 3, leaky_relu and elu have their slope at 0; the second one is 0 for all
/// of them. LibTorch 1.13 takes 1 at the bounds of clamp, and of hardswish −½ at −3, 1 or 3/2 at 3 (findings/torch_kinks.sh).
struct activation_function {
  activation_kind kind;
  double first = 0;   ///< the lower bound of hardtanh, the slope of leaky_relu and of elu
  double second = 0;  ///< the upper bound of hardtanh

  [[nodiscard]] static constexpr activation_function hardtanh(double low, double high) {
    return {activation_kind::hardtanh, low, high};
  }
  [[nodiscard]] static constexpr activation_function relu6() { return hardtanh(0, 6); }
  [[nodiscard]] static constexpr activation_function leaky_relu(double slope) { return {activation_kind::leaky_relu, slope}; }
  [[nodiscard]] static constexpr activation_function elu(double slope) { return {activation_kind::elu, slope}; }

  /// Whether the second derivative is anything but 0.
  [[nodiscard]] constexpr bool curved() const {
    return kind != activation_kind::hardtanh && kind != activation_kind::leaky_relu && kind != activation_kind::hardsigmoid;
  }
  /// Whether the values stay in a finite range, whatever x.
  [[nodiscard]] constexpr bool bounded() const {
    switch (kind) {
      case activation_kind::hardtanh: return first > -infinity && second < infinity;
      case activation_kind::sigmoid:
      case activation_kind::hardsigmoid:
      case activation_kind::tanh: return true;
      default: return false;
    }
  }
  friend constexpr bool operator==(activation_function const&, activation_function const&) = default;

 private:
  static constexpr double infinity = std::numeric_limits<double>::infinity();
};

}  // namespace lnpt
