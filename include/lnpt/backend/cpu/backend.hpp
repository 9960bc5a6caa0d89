#pragma once
/// The CPU backend: the value primitives of the network, on xtensor arrays, by Eigen products and oneTBB threads.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include <lnpt/backend/concept.hpp>
#include <lnpt/backend/cpu/activation.hpp>
#include <lnpt/backend/cpu/array.hpp>
#include <lnpt/backend/cpu/broadcast.hpp>
#include <lnpt/backend/cpu/channel_vector.hpp>
#include <lnpt/backend/cpu/channels.hpp>
#include <lnpt/backend/cpu/convolution/conv2d.hpp>
#include <lnpt/backend/cpu/convolution/fused_conv2d.hpp>
#include <lnpt/backend/cpu/elementwise.hpp>
#include <lnpt/backend/cpu/layout.hpp>
#include <lnpt/backend/cpu/linear.hpp>
#include <lnpt/backend/cpu/pool.hpp>
#include <lnpt/backend/cpu/prelu.hpp>
#include <lnpt/backend/cpu/regions.hpp>
#include <lnpt/backend/cpu/sgd.hpp>
#include <lnpt/backend/cpu/sparse/break_even.hpp>
#include <lnpt/backend/cpu/sparse/convolution.hpp>
#include <lnpt/backend/cpu/sparse/gradients.hpp>
#include <lnpt/backend/cpu/sparse/kept_weights.hpp>
#include <lnpt/backend/cpu/sparse/linear.hpp>
#include <lnpt/core/execution.hpp>

namespace lnpt::cpu {

/// Values of the network's primitives for arrays of `T`. Image activations are [C, N, H, W], so that a convolution is one large
/// product and the work of a channel is contiguous; feature matrices are [N, F]. Bits do not depend on the number of threads.
template <class T>
struct backend {
  using scalar = T;
  using array = cpu::array<T>;
  using indices = std::vector<std::uint32_t>;
  using channels = channel_vector;
  using packed_mask = std::vector<std::uint64_t>;
  using term = combined<array, channels>;
  struct context {};
  using conv_geometry = cpu::conv_geometry;
  using pool_window = cpu::pool_window;
  /// The tiles of convolutions have so many output channels: a width between two multiples costs what the upper one does.
  static constexpr std::size_t output_multiple = 8;

  static shape extents(array const& x) { return tensor_traits<array>::shape(x); }
  static context context_of(array const&) { return {}; }
  static array constant(shape const& extents, double value, context) { return filled(extents, static_cast<T>(value)); }
  static array make(shape const& extents, std::span<T const> values, context) {
    return tensor_traits<array>::make(extents, values);
  }
  static array from_batch(array const& x) { return x.dimension() > 2 ? to_channel_major(x) : x; }
  static array vector(channels const& c) {
    auto const& values = c.values;
    auto result = uninitialized<T>({values.size()});
    std::transform(values.begin(), values.end(), result.data(), [](double v) { return static_cast<T>(v); });
    return result;
  }

  static void conv2d(array const& x, array const& w, conv_geometry const& g, array& y, bool accumulate) {
    cpu::conv2d(x, w, g, y, accumulate);
  }
  static void conv2d_input_gradient(array const& gy, array const& w, conv_geometry const& g, shape const& x_shape, array& gx,
                                    bool accumulate) {
    cpu::conv2d_input_gradient(gy, w, g, x_shape, gx, accumulate);
  }
  static void conv2d_weight_gradient(array const& x, array const& gy, conv_geometry const& g, shape const& w_shape, array& gw,
                                     bool accumulate) {
    cpu::conv2d_weight_gradient(x, gy, g, w_shape, gw, accumulate);
  }
  static array fused_conv2d(array const& x, array const& w, conv_geometry const& g, epilogue<T> const& after) {
    return cpu::fused_conv2d(x, w, g, after);
  }
  using kept_weights = sparse::kept_weights<T>;
  /// A parameter under a mask by its kept weights alone, where `how` asks for it or they cost less than all.
  static std::optional<kept_weights> keep_only(array const& w, std::span<std::uint64_t const> mask, execution how) {
    std::size_t kept = 0;
    for (auto const word : mask) kept += static_cast<std::size_t>(std::popcount(word));
    auto const break_even = sparse::break_even_density<T>(extents(w));
    if (how == execution::dense || break_even == 0) return std::nullopt;
    if (how == execution::automatic && static_cast<double>(kept) >= break_even * static_cast<double>(w.size()))
      return std::nullopt;
    return kept_weights(w, mask);
  }
  static void conv2d(array const& x, kept_weights const& w, conv_geometry const& g, array& y, bool accumulate) {
    sparse::conv2d<T>(x, w.pattern(), w.view(), g, y, accumulate);
  }
  static array fused_conv2d(array const& x, kept_weights const& w, conv_geometry const& g, epilogue<T> const& after) {
    return cpu::fused_conv2d<T>(x, w.pattern(), w.view(), g, after);
  }
  static void conv2d_input_gradient(array const& gy, kept_weights const& w, conv_geometry const& g, shape const& x_shape,
                                    array& gx, bool accumulate) {
    sparse::conv2d_input_gradient<T>(gy, w.pattern(), w.view(), g, x_shape, gx, accumulate);
  }
  static void conv2d_gradients(array const& x, array const& gy, conv_geometry const& g, kept_weights const& w,
                               array const* addend, bool rectified, array& gx, array& gw) {
    gw.resize({w.values().size()});
    sparse::conv2d_gradients<T>(x, gy, w.pattern(), w.view(), g, gx, {gw.data(), gw.size()}, {addend, rectified});
  }
  static void conv2d_weight_gradient(array const& x, array const& gy, conv_geometry const& g, kept_weights const& w, array& gw,
                                     bool accumulate) {
    if (!accumulate) gw.resize({w.values().size()});
    sparse::conv2d_weight_gradient<T>(x, gy, w.pattern(), g, std::span(gw.data(), gw.size()), accumulate);
  }
  static void linear(array const& x, kept_weights const& w, array& y, bool accumulate) {
    sparse::linear<T>(x, w.pattern(), w.view(), y, accumulate);
  }
  static void linear_input_gradient(array const& gy, kept_weights const& w, array& gx, bool accumulate) {
    sparse::linear_input_gradient<T>(gy, w.pattern(), w.view(), gx, accumulate);
  }
  static void linear_weight_gradient(array const& x, array const& gy, kept_weights const& w, array& gw, bool accumulate) {
    if (!accumulate) gw.resize({w.values().size()});
    sparse::linear_weight_gradient<T>(x, gy, w.pattern(), std::span(gw.data(), gw.size()), accumulate);
  }

  static void conv2d_weight_gradient_squares(array const& x, array const& gy, conv_geometry const& g, shape const& w_shape,
                                             array& sum, bool accumulate) {
    cpu::conv2d_weight_gradient_squares(x, gy, g, w_shape, sum, accumulate);
  }

  static void linear(array const& x, array const& w, array& y, bool accumulate) { cpu::linear(x, w, y, accumulate); }
  static void linear_input_gradient(array const& gy, array const& w, array& gx, bool accumulate) {
    cpu::linear_input_gradient(gy, w, gx, accumulate);
  }
  static void linear_weight_gradient(array const& x, array const& gy, array& gw, bool accumulate) {
    cpu::linear_weight_gradient(x, gy, gw, accumulate);
  }
  static void linear_weight_gradient_squares(array const& x, array const& gy, array& sum, bool accumulate) {
    cpu::linear_weight_gradient_squares(x, gy, sum, accumulate);
  }
  static array add_row(array x, array const& row) {
    cpu::add_row(x, row);
    return x;
  }
  static array column_sums(array const& x) { return cpu::column_sums(x); }

  static array max_pool(array const& x, pool_window const& w, indices& chosen) { return cpu::max_pool(x, w, chosen); }
  static array gather_pool(array const& x, indices const& chosen, shape const& y_shape) {
    return cpu::gather_pool(x, chosen, y_shape);
  }
  static array scatter_pool(array const& gy, indices const& chosen, shape const& x_shape) {
    return cpu::scatter_pool(gy, chosen, x_shape);
  }
  static array average_pool(array const& x, pool_window const& w) { return cpu::average_pool(x, w); }
  static array average_pool_adjoint(array const& gy, pool_window const& w, shape const& x_shape) {
    return cpu::average_pool_adjoint(gy, w, x_shape);
  }
  static array global_average_pool(array const& x) { return cpu::global_average_pool(x); }
  static array global_average_pool_adjoint(array const& g, shape const& x_shape) {
    return cpu::global_average_pool_adjoint(g, x_shape);
  }

  static array flatten(array const& x) { return cpu::flatten(x); }
  static array unflatten(array const& x, shape const& x_shape) { return cpu::unflatten(x, x_shape); }
  static array concat(std::vector<array const*> const& images) { return cpu::concat_channels<T>(images); }
  static array slice_channels(array const& x, std::size_t begin, std::size_t end) { return cpu::slice_channels(x, begin, end); }
  static array subsample_pad(array const& x, std::size_t stride, std::size_t channels, std::size_t before) {
    auto const in = extents(x);
    return cpu::subsample_pad(x, stride, {channels, in[1], (in[2] + stride - 1) / stride, (in[3] + stride - 1) / stride}, before);
  }
  static array subsample_pad_adjoint(array const& gy, std::size_t stride, shape const& x_shape, std::size_t before) {
    return cpu::subsample_pad_adjoint(gy, stride, x_shape, before);
  }

  static array relu(array const& x) { return cpu::relu(x); }
  static array gate(array const& z, array const& g) { return cpu::gate(z, g); }
  static array add(array const& x, array const& y, bool rectify) { return cpu::add(x, y, rectify); }
  static array slice(array const& x, image_region const& region) { return cpu::slice(x, region); }
  static array unslice(array const& x, image_region const& region, shape const& whole) { return cpu::unslice(x, region, whole); }
  static array channel_shuffle(array const& x, std::size_t groups) { return cpu::channel_shuffle(x, groups); }
  static array upsample_nearest(array const& x, per_axis factor) { return cpu::upsample_nearest(x, factor); }
  static array upsample_nearest_adjoint(array const& gy, per_axis factor) { return cpu::upsample_nearest_adjoint(gy, factor); }
  static array activate(array const& x, activation_function const& f) { return cpu::activate(x, f); }
  static array activation_slope(array const& x, array const& g, activation_function const& f) {
    return cpu::activation_slope(x, g, f);
  }
  static array activation_curvature(array const& x, array const& g, array const& v, activation_function const& f) {
    return cpu::activation_curvature(x, g, v, f);
  }
  static array activate_scaled(array const& x, int exponent, activation_function const& f, int result) {
    return cpu::activate_scaled(x, exponent, f, result);
  }
  static array activation_slope_scaled(array const& x, int exponent, array const& g, activation_function const& f) {
    return cpu::activation_slope_scaled(x, exponent, g, f);
  }
  static array prelu(array const& gate, array const& v, array const& a) { return cpu::prelu(gate, v, a); }
  static void prelu_sums(array const& gate, array const& v, array const& g, shape const& a, array& sums, bool accumulate) {
    cpu::prelu_sums(gate, v, g, a, sums, accumulate);
  }
  static void product(array const& x, array const& y, array& out, bool accumulate) { cpu::product(x, y, out, accumulate); }
  static void product_sum(array const& x, array const& y, shape const& to, array& out, bool accumulate) {
    cpu::product_sum(x, y, to, out, accumulate);
  }
  static array broadcast(array const& x, shape const& to) { return cpu::broadcast(x, to); }
  static array sum_to(array const& x, shape const& to) { return cpu::sum_to(x, to); }
  static array affine(array const& x, double factor, double offset) {
    return cpu::affine(x, static_cast<T>(factor), static_cast<T>(offset));
  }
  static array scale(array const& x, double factor) { return cpu::scale(x, static_cast<T>(factor)); }
  static std::shared_ptr<array const> absolute(std::shared_ptr<array const> const& x) {
    if (detail::nonnegative(*x)) return x;
    return std::make_shared<array const>(detail::transformed([](T v) { return std::abs(v); }, *x));
  }
  /// The largest absolute value, NaN if there is one: both are the largest pattern of bits without the sign.
  static double largest(array const& x) {
    using bits = std::conditional_t<sizeof(T) == sizeof(std::uint32_t), std::uint32_t, std::uint64_t>;
    bits result = 0;
    for (std::size_t i = 0; i < x.size(); ++i) result = std::max(result, std::bit_cast<bits>(x.data()[i]) & (~bits{0} >> 1));
    return static_cast<double>(std::bit_cast<T>(result));
  }
  static std::pair<channels, channels> channel_sums(array const& g, array const& x, array const* gate) {
    auto [sum, dot] = cpu::channel_sums(g, x, gate);
    return {{std::move(sum)}, {std::move(dot)}};
  }
  static channels channel_sum(array const& g) { return {cpu::channel_sum(g)}; }
  static channels as_channels(array const& x) { return {std::vector<double>(x.begin(), x.end())}; }
  /// running ← (1 − momentum) running + momentum factor now
  static void move_towards(array& running, channels const& now, double factor, double momentum) {
    for (std::size_t c = 0; c < running.size(); ++c)
      running.data()[c] =
          static_cast<T>((1 - momentum) * static_cast<double>(running.data()[c]) + momentum * factor * now.values[c]);
  }
  static array combine(std::vector<term> const& terms, channels const* constant, array const* gate, bool rectify, bool gate_all) {
    return cpu::channel_combination<T>(parts_of(terms), constant ? &constant->values : nullptr, gate, rectify, gate_all);
  }
  template <class Derive>
  static array combine_after_sums(array const& g, array const& x, array const* gate, std::vector<term> const& terms,
                                  channels const& constant, bool rectify, Derive derive) {
    return cpu::combination_after_sums<T>(g, x, gate, parts_of(terms), &constant.values, rectify, derive);
  }

  static packed_mask pack(std::span<std::uint64_t const> words, context) { return {words.begin(), words.end()}; }
  static void sgd_step(array& w, array const& g, array& v, packed_mask const* kept, sgd_constants const& constants) {
    cpu::sgd_step(w, g, v, kept ? std::span<std::uint64_t const>(*kept) : std::span<std::uint64_t const>{}, constants);
  }

 private:
  static std::vector<cpu::term<T>> parts_of(std::vector<term> const& terms) {
    std::vector<cpu::term<T>> parts;
    for (auto const& t : terms) parts.push_back({t.values, t.coefficient ? &t.coefficient->values : nullptr, t.gated});
    return parts;
  }
};

static_assert(complete_backend<backend<float>> && complete_backend<backend<double>>);
static_assert(backend_fused_convolution<backend<float>>);

}  // namespace lnpt::cpu
