#pragma once
/// The convolution triple by cuDNN, and the squares of its weight gradients per sample.
#include <array>
#include <numeric>

#include <lnpt/backend/cpu/convolution/conv_geometry.hpp>
#include <lnpt/backend/cudnn/channels_last.hpp>
#include <lnpt/backend/cudnn/elementwise.hpp>

namespace lnpt::cudnn {

using cpu::conv_geometry;

namespace detail {

inline constexpr std::size_t whole_array_alignment = 16;  // of 256 that the allocator gives

/// A convolution of x[C, N, H, W] with w[O, C/groups, kh, kw], checked, of `samples` of the samples, in the precision in use.
template <class T>
[[nodiscard]] convolution describe(direction which, cpu::conv_extents const& e, shape const& w, std::size_t samples,
                                   std::size_t alignment) {
  auto const i = [](std::size_t n) { return static_cast<std::int64_t>(n); };
  auto const& g = e.geometry;
  constexpr bool in_double = sizeof(T) == sizeof(double);
  auto const how = chosen_device().how;
  auto const on_tensor_cores = !in_double && how != precision::fp32;
  return {which,
          {i(samples), i(e.channels), i(e.h), i(e.w)},
          {i(w[0]), i(w[1]), i(w[2]), i(w[3])},
          {i(samples), i(e.outputs), i(e.out_h), i(e.out_w)},
          {i(g.padding.top), i(g.padding.left)},
          {i(g.padding.bottom), i(g.padding.right)},
          {i(g.stride.h), i(g.stride.w)},
          {i(g.dilation.h), i(g.dilation.w)},
          in_double                                   ? CUDNN_DATA_DOUBLE
          : on_tensor_cores && how == precision::bf16 ? CUDNN_DATA_BFLOAT16
                                                      : CUDNN_DATA_FLOAT,
          on_tensor_cores,
          i(on_tensor_cores ? whole_array_alignment : alignment)};
}

/// Runs a convolution of arrays; `given` has no array where the result of these extents is.
template <class T>
[[nodiscard]] array<T> convolve(convolution const& c, std::array<array<T> const*, 3> const& given, shape const& extents) {
  if constexpr (sizeof(T) == sizeof(float))
    if (c.tensor_cores) return convolve_on_tensor_cores(c, given, extents);
  auto const how = [](std::size_t i) { return i == 1 ? storage::as_extents : storage::images; };
  array<T> made(extents, how(c.result()));
  std::array<array<T>, 3> kept;
  operands addresses{};
  for (std::size_t i = 0; i < kept.size(); ++i) {
    if (given[i] != nullptr) kept[i] = stored_as(*given[i], how(i));
    addresses[i] = given[i] == nullptr ? made.written() : const_cast<T*>(kept[i].data());
  }
  run(c, addresses);
  return made;
}

inline void require_extents(char const* what, shape const& given, shape const& expected) {
  if (given != expected) fail(what, ": an array of shape ", list(given), "; pass one of shape ", list(expected));
}

/// Hands a new result out, or adds it.
template <class T>
void deliver(char const* what, array<T>&& made, array<T>& out, bool accumulate) {
  if (!accumulate) {
    out = std::move(made);
    return;
  }
  require_extents(what, out.extents(), made.extents());
  out = binary(what, binary_operation::add, out, made);
}

}  // namespace detail

template <class T>
void conv2d(array<T> const& x, array<T> const& w, conv_geometry const& g, array<T>& y, bool accumulate) {
  cpu::conv_extents const e(x.extents(), w.extents(), g);
  auto const c = detail::describe<T>(detail::direction::forward, e, w.extents(), e.samples, detail::whole_array_alignment);
  detail::deliver("conv2d", detail::convolve<T>(c, {&x, &w, nullptr}, e.y_shape()), y, accumulate);
}

template <class T>
void conv2d_input_gradient(array<T> const& gy, array<T> const& w, conv_geometry const& g, shape const& x_shape, array<T>& gx,
                           bool accumulate) {
  cpu::conv_extents const e(x_shape, w.extents(), g);
  detail::require_extents("conv2d_input_gradient", gy.extents(), e.y_shape());
  auto const c = detail::describe<T>(detail::direction::input_gradient, e, w.extents(), e.samples, detail::whole_array_alignment);
  detail::deliver("conv2d_input_gradient", detail::convolve<T>(c, {nullptr, &w, &gy}, x_shape), gx, accumulate);
}

template <class T>
void conv2d_weight_gradient(array<T> const& x, array<T> const& gy, conv_geometry const& g, shape const& w_shape, array<T>& gw,
                            bool accumulate) {
  cpu::conv_extents const e(x.extents(), w_shape, g);
  detail::require_extents("conv2d_weight_gradient", gy.extents(), e.y_shape());
  auto const c = detail::describe<T>(detail::direction::weight_gradient, e, w_shape, e.samples, detail::whole_array_alignment);
  detail::deliver("conv2d_weight_gradient", detail::convolve<T>(c, {&x, nullptr, &gy}, w_shape), gw, accumulate);
}

/// Σ_b (x_b ⋆ ∂y_b)², one convolution a sample.
template <class T>
void conv2d_weight_gradient_squares(array<T> const& x, array<T> const& gy, conv_geometry const& g, shape const& w_shape,
                                    array<T>& sum, bool accumulate) {
  cpu::conv_extents const e(x.extents(), w_shape, g);
  detail::require_extents("conv2d_weight_gradient_squares", gy.extents(), e.y_shape());
  if (accumulate) detail::require_extents("conv2d_weight_gradient_squares", sum.extents(), w_shape);
  auto const images = detail::as_images(x);
  auto const slopes = detail::as_images(gy);
  auto const image = e.channels * e.h * e.w;
  auto const slope = e.outputs * e.out_h * e.out_w;
  auto const alignment = std::gcd(detail::whole_array_alignment, std::gcd(image, slope) * sizeof(T));
  auto const one = detail::describe<T>(detail::direction::weight_gradient, e, w_shape, 1, alignment);
  if (!accumulate) sum = filled<T>(w_shape, T{0});
  array<T> gradient(w_shape);
  for (std::size_t b = 0; b < e.samples; ++b) {
    detail::operands const addresses{const_cast<T*>(images.data() + b * image), gradient.written(),
                                     const_cast<T*>(slopes.data() + b * slope)};
    one.tensor_cores ? detail::convolve_copies(one, addresses) : detail::run(one, addresses);
    sum = detail::binary("conv2d_weight_gradient_squares", detail::binary_operation::add_square, sum, gradient);
  }
}

}  // namespace lnpt::cudnn
