#pragma once
/// The backend for NVIDIA's GPUs: convolutions by cuDNN's graph API, products by cuBLAS, and everything else by kernels that NVRTC compiles.
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <lnpt/backend/concept.hpp>
#include <lnpt/backend/cudnn/activation.hpp>
#include <lnpt/backend/cudnn/array.hpp>
#include <lnpt/backend/cudnn/broadcast.hpp>
#include <lnpt/backend/cudnn/channels.hpp>
#include <lnpt/backend/cudnn/conv2d.hpp>
#include <lnpt/backend/cudnn/descent.hpp>
#include <lnpt/backend/cudnn/elementwise.hpp>
#include <lnpt/backend/cudnn/layout.hpp>
#include <lnpt/backend/cudnn/linear.hpp>
#include <lnpt/backend/cudnn/pool.hpp>
#include <lnpt/backend/cudnn/precision.hpp>
#include <lnpt/backend/cudnn/traits.hpp>

namespace lnpt::cudnn {

/// Values of the network's primitives for arrays of `T` on the device that `use_device` chose, on one stream, for one host thread. The same
/// bits at every run: sums have a fixed order, and only engines of cuDNN that say they are deterministic, and compute in `T`, are taken.
/// Operations queue work and return; the host waits only in `largest` and where values are copied to it. An error of CUDA, cuDNN, cuBLAS or
/// NVRTC is an `lnpt::error` with the library's words.
template <class T>
struct backend {
  using scalar = T;
  using array = cudnn::array<T>;
  using indices = pool_indices;
  using channels = cudnn::channels;
  using term = combined<array, channels>;
  using conv_geometry = cudnn::conv_geometry;
  using pool_window = cudnn::pool_window;
  struct context {};
  using packed_mask = cudnn::packed_mask;

  static shape extents(array const& x) { return x.extents(); }
  static context context_of(array const&) { return {}; }
  static array constant(shape const& extents, double value, context) { return filled<T>(extents, static_cast<T>(value)); }
  static array make(shape const& extents, std::span<T const> values, context) {
    return tensor_traits<array>::make(extents, values);
  }
  static array from_batch(array const& x) { return cudnn::from_batch(x); }
  static array flatten(array const& x) { return cudnn::flatten(x); }
  static array unflatten(array const& y, shape const& images) { return cudnn::unflatten(y, images); }
  static array concat(std::vector<array const*> const& images) { return concat_channels<T>(images); }
  static array slice_channels(array const& x, std::size_t begin, std::size_t end) { return cudnn::slice_channels(x, begin, end); }
  static array slice(array const& x, image_region const& region) { return cudnn::slice(x, region); }
  static array unslice(array const& y, image_region const& region, shape const& whole) {
    return cudnn::unslice(y, region, whole);
  }
  static array channel_shuffle(array const& x, std::size_t groups) { return cudnn::channel_shuffle(x, groups); }
  static array upsample_nearest(array const& x, per_axis factor) { return cudnn::upsample_nearest(x, factor); }
  static array upsample_nearest_adjoint(array const& gy, per_axis factor) { return cudnn::upsample_nearest_adjoint(gy, factor); }
  static array subsample_pad(array const& x, std::size_t stride, std::size_t width, std::size_t before) {
    return cudnn::subsample_pad(x, stride, width, before);
  }
  static array subsample_pad_adjoint(array const& gy, std::size_t stride, shape const& images, std::size_t before) {
    return cudnn::subsample_pad_adjoint(gy, stride, images, before);
  }

  static void conv2d(array const& x, array const& w, conv_geometry const& g, array& y, bool accumulate) {
    cudnn::conv2d(x, w, g, y, accumulate);
  }
  static void conv2d_input_gradient(array const& gy, array const& w, conv_geometry const& g, shape const& images, array& gx,
                                    bool accumulate) {
    cudnn::conv2d_input_gradient(gy, w, g, images, gx, accumulate);
  }
  static void conv2d_weight_gradient(array const& x, array const& gy, conv_geometry const& g, shape const& weights, array& gw,
                                     bool accumulate) {
    cudnn::conv2d_weight_gradient(x, gy, g, weights, gw, accumulate);
  }
  static void conv2d_weight_gradient_squares(array const& x, array const& gy, conv_geometry const& g, shape const& weights,
                                             array& sum, bool accumulate) {
    cudnn::conv2d_weight_gradient_squares(x, gy, g, weights, sum, accumulate);
  }

  static void linear(array const& x, array const& w, array& y, bool accumulate) { cudnn::linear(x, w, y, accumulate); }
  static void linear_input_gradient(array const& gy, array const& w, array& gx, bool accumulate) {
    cudnn::linear_input_gradient(gy, w, gx, accumulate);
  }
  static void linear_weight_gradient(array const& x, array const& gy, array& gw, bool accumulate) {
    cudnn::linear_weight_gradient(x, gy, gw, accumulate);
  }
  static void linear_weight_gradient_squares(array const& x, array const& gy, array& sum, bool accumulate) {
    cudnn::linear_weight_gradient_squares(x, gy, sum, accumulate);
  }
  static array add_row(array const& x, array const& row) { return cudnn::add_row(x, row); }
  static array column_sums(array const& x) { return cudnn::column_sums(x); }

  static array max_pool(array const& x, pool_window const& w, indices& chosen) { return cudnn::max_pool(x, w, chosen); }
  static array gather_pool(array const& x, indices const& chosen, shape const& y) { return cudnn::gather_pool(x, chosen, y); }
  static array scatter_pool(array const& gy, indices const& chosen, shape const& x) { return cudnn::scatter_pool(gy, chosen, x); }
  static array average_pool(array const& x, pool_window const& w) { return cudnn::average_pool(x, w); }
  static array average_pool_adjoint(array const& gy, pool_window const& w, shape const& x) {
    return cudnn::average_pool_adjoint(gy, w, x);
  }
  static array global_average_pool(array const& x) { return cudnn::global_average_pool(x); }
  static array global_average_pool_adjoint(array const& g, shape const& x) { return cudnn::global_average_pool_adjoint(g, x); }

  static array relu(array const& x) { return detail::unary(detail::unary_operation::rectify, x); }
  static array gate(array const& z, array const& g) { return detail::binary("gate", detail::binary_operation::gate, z, g); }
  static array add(array const& x, array const& y, bool rectify) {
    return detail::binary("add", rectify ? detail::binary_operation::add_rectify : detail::binary_operation::add, x, y);
  }
  static array scale(array const& x, double factor) { return factor * x; }
  static array affine(array const& x, double factor, double offset) {
    return detail::unary(detail::unary_operation::affine, x, factor, offset);
  }
  static std::shared_ptr<array const> absolute(std::shared_ptr<array const> const& x) {
    return std::make_shared<array const>(abs(*x));
  }
  static double largest(array const& x) { return cudnn::largest(x); }

  using function = activation_function;
  static array activate(array const& x, function const& f) { return cudnn::activate(x, f); }
  static array activation_slope(array const& x, array const& g, function const& f) { return cudnn::activation_slope(x, g, f); }
  static array activation_curvature(array const& x, array const& g, array const& v, function const& f) {
    return cudnn::activation_curvature(x, g, v, f);
  }
  static array activate_scaled(array const& x, int exponent, function const& f, int result) {
    return cudnn::activate_scaled(x, exponent, f, result);
  }
  static array activation_slope_scaled(array const& x, int exponent, array const& g, function const& f) {
    return cudnn::activation_slope_scaled(x, exponent, g, f);
  }
  static array prelu(array const& gate, array const& v, array const& a) { return cudnn::prelu(gate, v, a); }
  static void prelu_sums(array const& gate, array const& v, array const& g, shape const& a, array& sums, bool accumulate) {
    cudnn::prelu_sums(gate, v, g, a, sums, accumulate);
  }

  static void product(array const& x, array const& y, array& out, bool accumulate) { cudnn::product(x, y, out, accumulate); }
  static void product_sum(array const& x, array const& y, shape const& to, array& out, bool accumulate) {
    cudnn::product_sum(x, y, to, out, accumulate);
  }
  static array broadcast(array const& x, shape const& to) { return cudnn::broadcast(x, to); }
  static array sum_to(array const& x, shape const& to) { return cudnn::sum_to(x, to); }

  static channels as_channels(array const& x) { return cudnn::as_channels(x); }
  static array vector(channels const& c) { return cudnn::vector<T>(c); }
  static channels channel_sum(array const& g) { return cudnn::channel_sum(g); }
  static std::pair<channels, channels> channel_sums(array const& g, array const& x, array const* gate) {
    return cudnn::channel_sums(g, x, gate);
  }
  static array combine(std::vector<term> const& terms, channels const* constant, array const* gate, bool rectify, bool gate_all) {
    return cudnn::combine<T>(terms, constant, gate, rectify, gate_all);
  }
  static void move_towards(array& running, channels const& now, double factor, double momentum) {
    cudnn::move_towards(running, now, factor, momentum);
  }

  static packed_mask pack(std::span<std::uint64_t const> words, context) { return cudnn::pack(words); }
  static void sgd_step(array& w, array const& g, array& v, packed_mask const* kept, sgd_constants const& constants) {
    sgd_steps({{&w, &g, &v, kept}}, constants);
  }
  static void sgd_steps(std::vector<sgd_operands<array, packed_mask>> const& parameters, sgd_constants const& constants) {
    cudnn::sgd_steps<T>(parameters, constants);
  }
};

static_assert(complete_backend<backend<float>> && complete_backend<backend<double>>);

}  // namespace lnpt::cudnn
