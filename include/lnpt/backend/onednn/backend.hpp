#pragma once
/// The CPU backend with oneDNN's convolutions.
#include <type_traits>

#include <lnpt/backend/cpu/backend.hpp>
#include <lnpt/backend/onednn/conv2d.hpp>

namespace lnpt::onednn {

/// Every primitive of `cpu::backend`, the convolution triple by oneDNN, on the same arrays [C, N, H, W].
///
///     lnpt::network<lnpt::onednn::backend<float>> net = lnpt::zoo::resnet<lnpt::onednn::backend<float>>({.depth = 32});
///
/// Bits do not depend on the number of threads, but may on the machine: oneDNN chooses its code by the processor it meets.
template <class T>
struct backend : cpu::backend<T> {
  static_assert(std::is_same_v<T, float>,
                "oneDNN convolves in float: use lnpt::onednn::backend<float>, or lnpt::cpu::backend<double>");
  using array = cpu::array<T>;
  using conv_geometry = cpu::conv_geometry;
  /// oneDNN blocks channels by the width of a vector; at that width and below another path costs what the channels do.
  static constexpr std::size_t output_multiple = 16, output_multiple_above = 16;

  using cpu::backend<T>::conv2d;  // by kept weights
  using cpu::backend<T>::fused_conv2d;
  using cpu::backend<T>::conv2d_input_gradient;
  using cpu::backend<T>::conv2d_weight_gradient;
  static void conv2d(array const& x, array const& w, conv_geometry const& g, array& y, bool accumulate) {
    onednn::conv2d(x, w, g, y, accumulate);
  }
  static array fused_conv2d(array const& x, array const& w, conv_geometry const& g, cpu::epilogue<T> const& after) {
    array y;
    onednn::conv2d(x, w, g, y, false);
    cpu::apply_epilogue(y, after);
    return y;
  }
  static void conv2d_input_gradient(array const& gy, array const& w, conv_geometry const& g, shape const& x_shape, array& gx,
                                    bool accumulate) {
    onednn::conv2d_input_gradient(gy, w, g, x_shape, gx, accumulate);
  }
  static void conv2d_weight_gradient(array const& x, array const& gy, conv_geometry const& g, shape const& w_shape, array& gw,
                                     bool accumulate) {
    // On maps smaller than a vector the CPU engine's is faster, which puts samples side by side; oneDNN sums along the rows of a map.
    if (gy.shape()[2] * gy.shape()[3] < 16) return cpu::backend<T>::conv2d_weight_gradient(x, gy, g, w_shape, gw, accumulate);
    onednn::conv2d_weight_gradient(x, gy, g, w_shape, gw, accumulate);
  }
};

}  // namespace lnpt::onednn
