#pragma once
/// What a backend of the library's own engine supplies: values of the network's primitives, and not one derivative.
///
/// A backend is a type with static members, `cpu::backend<T>` the first. `network<Backend>` runs the layers' rules on it, for values,
/// tangents (autodiff/lift.hpp) and SynFlow's exponents (autodiff/scaled.hpp). Every array and every vector over channels stays where
/// the backend keeps it. The engine reads two kinds of number on the host: `largest` for SynFlow, and the loss for training.
///
/// Extents are logical: image activations are [C, N, H, W] and feature matrices [N, F] to the engine, whatever the storage; weights
/// are [O, C/groups, kh, kw] and [O, F]. A `bool accumulate` adds to the result instead of overwriting it.
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <lnpt/backend/sgd_constants.hpp>
#include <lnpt/core/activation_function.hpp>
#include <lnpt/core/tensor.hpp>
#include <lnpt/core/window.hpp>

namespace lnpt {

/// One summand of `Backend::combine`: coefficient[c] · values, only where the gate is positive if `gated`.
template <class Array, class Channels>
struct combined {
  Array const* values;
  Channels const* coefficient;  ///< null: 1
  bool gated = false;
};

/// What `Backend::fused_conv2d` does with the results of a convolution.
template <class Array, class Channels>
struct epilogue {
  Channels const* slope = nullptr;   ///< null: 1
  Channels const* offset = nullptr;  ///< null: 0
  Array const* addend = nullptr;     ///< of the result's shape; null: none
  bool rectify = false;
};

/// The types of a backend. `array` is a tensor, empty when default-constructed; `indices` is what max pooling chose; `channels` holds
/// one double per channel and is opaque; `context` says where new arrays are made (device, stream), and is empty on the CPU.
template <class B>
concept backend_types =
    std::floating_point<typename B::scalar> && tensor<typename B::array> && std::default_initializable<typename B::array> &&
    std::default_initializable<typename B::indices> && std::movable<typename B::indices> &&
    std::semiregular<typename B::channels> && std::semiregular<typename B::context> && requires {
      typename B::conv_geometry;
      typename B::pool_window;
    };

/// Arrays and their layouts.
///
///     extents(x)                          logical extents
///     context_of(x)                       where x lies
///     constant(extents, value, context)   an array filled with one value
///     make(extents, values, context)      an array of these values, row-major
///     from_batch(x)                       a caller's batch, [N, C, H, W], [N, C, L] or [N, F], as an activation
///     flatten(x), unflatten(y, extents)   images as feature matrices in PyTorch's order, and back
///     concat(images), slice_channels(x, begin, end)
///     slice(x, region), unslice(y, region, extents)  some channels, rows and columns, and an array with y there and zeros elsewhere
///     channel_shuffle(x, groups)          channels as rows of C/groups, read by columns
///     upsample_nearest(x, factor)         every pixel several times, and the adjoint
///     subsample_pad(x, stride, channels, before)  every stride-th pixel between zero channels, `before` of them first; its adjoint
template <class B>
concept backend_arrays =
    backend_types<B> && requires(typename B::array const& x, shape const& extents, std::span<typename B::scalar const> values,
                                 typename B::context const& context, std::vector<typename B::array const*> const& images,
                                 std::size_t n, image_region const& region, per_axis factor) {
      { B::extents(x) } -> std::convertible_to<shape>;
      { B::context_of(x) } -> std::convertible_to<typename B::context>;
      { B::constant(extents, 1.0, context) } -> std::same_as<typename B::array>;
      { B::make(extents, values, context) } -> std::same_as<typename B::array>;
      { B::from_batch(x) } -> std::same_as<typename B::array>;
      { B::flatten(x) } -> std::same_as<typename B::array>;
      { B::unflatten(x, extents) } -> std::same_as<typename B::array>;
      { B::concat(images) } -> std::same_as<typename B::array>;
      { B::slice_channels(x, n, n) } -> std::same_as<typename B::array>;
      { B::slice(x, region) } -> std::same_as<typename B::array>;
      { B::unslice(x, region, extents) } -> std::same_as<typename B::array>;
      { B::channel_shuffle(x, n) } -> std::same_as<typename B::array>;
      { B::upsample_nearest(x, factor) } -> std::same_as<typename B::array>;
      { B::upsample_nearest_adjoint(x, factor) } -> std::same_as<typename B::array>;
      { B::subsample_pad(x, n, n, n) } -> std::same_as<typename B::array>;
      { B::subsample_pad_adjoint(x, n, extents, n) } -> std::same_as<typename B::array>;
    };

/// The convolution triple, y = w ∗ x, ∂x = w ⋆ ∂y and ∂w = x ⋆ ∂y, and Σ_b (x_b ⋆ ∂y_b)² over the samples b of a batch.
template <class B>
concept backend_convolution = requires(typename B::array const& x, typename B::conv_geometry const& geometry,
                                       shape const& extents, typename B::array& out, bool accumulate) {
  B::conv2d(x, x, geometry, out, accumulate);
  B::conv2d_input_gradient(x, x, geometry, extents, out, accumulate);
  B::conv2d_weight_gradient(x, x, geometry, extents, out, accumulate);
  B::conv2d_weight_gradient_squares(x, x, geometry, extents, out, accumulate);
};

/// Optional: convolutions by which predictions need no passes of their own for batch norm, sums and rectifiers.
///
///     fused_conv2d(x, w, geometry, after) = max(0, slope[c] (w ∗ x) + offset[c] + addend), as far as `after` goes
///
/// in the bits of `conv2d`, `combine` and `add`; by kept weights as well where the backend multiplies by those.
template <class B>
concept backend_fused_convolution = requires(typename B::array const& x, typename B::conv_geometry const& geometry,
                                             epilogue<typename B::array, typename B::channels> const& after) {
  { B::fused_conv2d(x, x, geometry, after) } -> std::same_as<typename B::array>;
};

/// Products of feature matrices: y = x wᵀ, ∂x = ∂y w, ∂w = ∂yᵀ x, Σ_b (∂y_b x_bᵀ)²; a bias added to every row; sums of columns.
template <class B>
concept backend_products = requires(typename B::array const& x, typename B::array& out, bool accumulate) {
  B::linear(x, x, out, accumulate);
  B::linear_input_gradient(x, x, out, accumulate);
  B::linear_weight_gradient(x, x, out, accumulate);
  B::linear_weight_gradient_squares(x, x, out, accumulate);
  { B::add_row(x, x) } -> std::same_as<typename B::array>;
  { B::column_sums(x) } -> std::same_as<typename B::array>;
};

/// Pooling. `max_pool(x, window, chosen)` notes what it chose; `gather_pool` picks the same elements of another array, `scatter_pool` is
/// its adjoint. Means over windows and over whole images with their adjoints.
template <class B>
concept backend_pooling = requires(typename B::array const& x, typename B::pool_window const& window, typename B::indices& chosen,
                                   typename B::indices const& found, shape const& extents) {
  { B::max_pool(x, window, chosen) } -> std::same_as<typename B::array>;
  { B::gather_pool(x, found, extents) } -> std::same_as<typename B::array>;
  { B::scatter_pool(x, found, extents) } -> std::same_as<typename B::array>;
  { B::average_pool(x, window) } -> std::same_as<typename B::array>;
  { B::average_pool_adjoint(x, window, extents) } -> std::same_as<typename B::array>;
  { B::global_average_pool(x) } -> std::same_as<typename B::array>;
  { B::global_average_pool_adjoint(x, extents) } -> std::same_as<typename B::array>;
};

/// Elementwise operations.
///
///     relu(x) = max(0, x)      gate(z, g) = g where z > 0, else 0      add(x, y, rectify) = x + y, then max(0, ·) if asked
///     affine(x, factor, offset) = factor · x + offset
///     scale(x, factor)         absolute(handle) = |x|, the same handle where the backend knows that nothing is negative
///     largest(x) = max |x|, NaN if there is one: a number on the host, which SynFlow's exponents are made of
template <class B>
concept backend_elementwise = requires(typename B::array const& x, std::shared_ptr<typename B::array const> const& handle) {
  { B::relu(x) } -> std::same_as<typename B::array>;
  { B::gate(x, x) } -> std::same_as<typename B::array>;
  { B::add(x, x, true) } -> std::same_as<typename B::array>;
  { B::scale(x, 1.0) } -> std::same_as<typename B::array>;
  { B::affine(x, 1.0, 0.0) } -> std::same_as<typename B::array>;
  { B::absolute(handle) } -> std::same_as<std::shared_ptr<typename B::array const>>;
  { B::largest(x) } -> std::convertible_to<double>;
};

/// Activation functions: f(x), g ⊙ f′(x) and g ⊙ f″(x) ⊙ v; f(x·2ⁿ)/2ᵐ and g ⊙ f′(x·2ⁿ) for SynFlow's exponents, computed in double.
/// `prelu(gate, v, a)` is v where the gate is positive and a v elsewhere, `prelu_sums` the gradient of a.
template <class B>
concept backend_activations = requires(typename B::array const& x, activation_function const& f, shape const& extents,
                                       typename B::array& out, bool accumulate) {
  { B::activate(x, f) } -> std::same_as<typename B::array>;
  { B::activation_slope(x, x, f) } -> std::same_as<typename B::array>;
  { B::activation_curvature(x, x, x, f) } -> std::same_as<typename B::array>;
  { B::activate_scaled(x, 1, f, 1) } -> std::same_as<typename B::array>;
  { B::activation_slope_scaled(x, 1, x, f) } -> std::same_as<typename B::array>;
  { B::prelu(x, x, x) } -> std::same_as<typename B::array>;
  B::prelu_sums(x, x, x, extents, out, accumulate);
};

/// Products of arrays of which one stretches along the axes where its extent is 1, their sums over such axes, and both without a factor.
template <class B>
concept backend_broadcast = requires(typename B::array const& x, shape const& extents, typename B::array& out, bool accumulate) {
  B::product(x, x, out, accumulate);
  B::product_sum(x, x, extents, out, accumulate);
  { B::broadcast(x, extents) } -> std::same_as<typename B::array>;
  { B::sum_to(x, extents) } -> std::same_as<typename B::array>;
};

// clang-format off: it takes the products for pointers
/// Vectors over channels: `+`, `-`, `*`, scalar `*` and `inverse_root(x, ε)` = 1/√(x + ε), elementwise and in double.
template <class B>
concept backend_channels = requires(typename B::channels const& a, typename B::array const& x) {
  { a + a } -> std::same_as<typename B::channels>;
  { a - a } -> std::same_as<typename B::channels>;
  { a * a } -> std::same_as<typename B::channels>;
  { 2.0 * a } -> std::same_as<typename B::channels>;
  { inverse_root(a, 1e-5) } -> std::same_as<typename B::channels>;
  { B::as_channels(x) } -> std::same_as<typename B::channels>;
  { B::vector(a) } -> std::same_as<typename B::array>;
};
// clang-format on

/// What batch normalisation is made of.
///
///     channel_sum(g) = Σ g      channel_sums(g, x, gate) = (Σ g, Σ g x), of elements where the gate is positive, if there is one
///     combine(terms, constant, gate, rectify, gate_all) = Σ_j coefficient_j[c] · values_j + constant[c] in one pass; `rectify` takes
///         max(0, ·), `gate_all` zeroes the result where the gate is not positive
///     move_towards(running, now, factor, momentum): running ← (1 − momentum) running + momentum · factor · now
template <class B>
concept backend_batch_norm = requires(typename B::array const& x, typename B::channels const& c, typename B::array& running,
                                      std::vector<combined<typename B::array, typename B::channels>> const& terms) {
  { B::channel_sum(x) } -> std::same_as<typename B::channels>;
  { B::channel_sums(x, x, &x) } -> std::same_as<std::pair<typename B::channels, typename B::channels>>;
  { B::combine(terms, &c, &x, true, false) } -> std::same_as<typename B::array>;
  B::move_towards(running, c, 1.0, 0.1);
};

/// Optional, for vectors over channels in host memory: sums per channel and what is combined by them, in one walk through memory.
///
///     combine_after_sums(g, x, gate, terms, constant, rectify, derive) = combine(terms, constant, gate, rectify, false), once
///         derive(c, Σ g, Σ g x), called for every channel c, has set the channel's coefficients and its constant
///
/// in the bits of `channel_sums` and `combine`. Channels may be carried out in any order and at the same time.
template <class B>
concept backend_joined_batch_norm = requires(typename B::array const& x, typename B::channels const& c,
                                             std::vector<combined<typename B::array, typename B::channels>> const& terms,
                                             void (*derive)(std::size_t, double, double)) {
  { B::combine_after_sums(x, x, &x, terms, c, true, derive) } -> std::same_as<typename B::array>;
};

/// Descent under a mask: `pack(words, context)` takes a mask's words (one bit per weight, 64 a word) to where the weights are, and
/// `sgd_step(w, g, v, kept, constants)` is v ← μ v + g + λ w, w ← w − lr v, with w and v exactly +0 where the mask says so (null: nowhere).
/// A backend may supply `sgd_steps(operands, constants)`, too, with which a model takes a step at once: `sgd_operands` of every parameter.
/// Selection has its hooks in `tensor_traits<array>`: without them scores are ranked on the host.
template <class B>
concept backend_descent = requires(typename B::array& w, typename B::array const& g, std::span<std::uint64_t const> words,
                                   typename B::context const& context, typename B::packed_mask const* kept) {
  { B::pack(words, context) } -> std::same_as<typename B::packed_mask>;
  B::sgd_step(w, g, w, kept, sgd_constants{});
};

/// Everything that `network<B>` and its training ask of a backend. (Not named `backend`, which is what users call their alias.)
template <class B>
concept complete_backend =
    backend_arrays<B> && backend_convolution<B> && backend_products<B> && backend_pooling<B> && backend_elementwise<B> &&
    backend_activations<B> && backend_broadcast<B> && backend_channels<B> && backend_batch_norm<B> && backend_descent<B>;

namespace detail {

/// Refuses a backend that lacks something, in one sentence that names the group.
template <class B>
[[nodiscard]] consteval bool refuse_incomplete_backend() {
  static_assert(backend_types<B>, "lnpt: this backend lacks an associated type. Supply those that backend_types lists.");
  static_assert(backend_arrays<B>,
                "lnpt: this backend lacks an operation on arrays or their layouts. Supply those that backend_arrays lists.");
  static_assert(backend_convolution<B>, "lnpt: this backend lacks a convolution. Supply those that backend_convolution lists.");
  static_assert(backend_products<B>, "lnpt: this backend lacks a matrix product. Supply those that backend_products lists.");
  static_assert(backend_pooling<B>, "lnpt: this backend lacks a pooling operation. Supply those that backend_pooling lists.");
  static_assert(backend_elementwise<B>,
                "lnpt: this backend lacks an elementwise operation. Supply those that backend_elementwise lists.");
  static_assert(backend_activations<B>,
                "lnpt: this backend lacks an activation function. Supply those that backend_activations lists.");
  static_assert(backend_broadcast<B>,
                "lnpt: this backend lacks a product of arrays that stretch. Supply those that backend_broadcast lists.");
  static_assert(backend_channels<B>,
                "lnpt: this backend lacks an operation on channels. Supply those that backend_channels lists.");
  static_assert(backend_batch_norm<B>,
                "lnpt: this backend lacks a piece of batch normalisation. Supply those that backend_batch_norm lists.");
  static_assert(backend_descent<B>, "lnpt: this backend lacks the masked step of descent. Supply what backend_descent lists.");
  return true;
}

}  // namespace detail
}  // namespace lnpt
