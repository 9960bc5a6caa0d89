#pragma once
/// What lnpt asks of a model, least first. A host's own engine joins by satisfying as many of these concepts as its criteria need.
#include <concepts>
#include <optional>
#include <ranges>
#include <span>
#include <utility>
#include <vector>

#include <lnpt/core/normalization.hpp>
#include <lnpt/core/parameter.hpp>
#include <lnpt/core/tensor.hpp>

namespace lnpt {

/// What a network says of a batch: logits [B, K] and, where the model has them, penultimate features [B, M].
template <class T>
struct prediction {
  T output;
  std::optional<T> features;
};

/// ∂L/∂output and ∂L/∂features; an empty one does not reach the loss.
template <class T>
struct cotangents {
  std::optional<T> output;
  std::optional<T> features;
};

/// One entry per parameter of a model. Empty means that the loss does not reach the parameter; it never stands for zero.
template <class T>
using gradients = std::vector<std::optional<T>>;

/// Whose gradients are wanted: scoring needs those of prunable weights only, training all of them.
enum class which_gradients { prunable, all };

template <class Model>
using tensor_of = typename Model::tensor_type;

template <class Model>
using trace_of = decltype(std::declval<Model&>().forward(std::declval<tensor_of<Model> const&>(), normalization{}));

/// `parameters()`: name, value and role of every parameter, in an order that does not change. `buffers()`, where there is state that is
/// not trained (running statistics), likewise.
template <class M>
concept prunable = tensor<tensor_of<M>> && requires(M& m) {
  { m.parameters() } -> std::ranges::forward_range;
  requires std::same_as<std::ranges::range_value_t<decltype(m.parameters())>, parameter<tensor_of<M>>>;
};

/// `forward(x, normalization)` gives a trace with `output()`; it leaves the model as it was.
/// `backward(trace, cotangents, wanted)` gives one optional gradient per parameter.
template <class M>
concept differentiable =
    prunable<M> && requires(M& m, tensor_of<M> const& x, trace_of<M>& trace, cotangents<tensor_of<M>> const& cotangent) {
      { trace.output() } -> std::convertible_to<tensor_of<M> const&>;
      { m.backward(trace, cotangent, which_gradients::prunable) } -> std::convertible_to<gradients<tensor_of<M>>>;
    };

/// The trace also has `features()`, the input of the last linear layer, and `backward` takes a cotangent there.
template <class M>
concept has_features = differentiable<M> && requires(trace_of<M> const& trace) {
  { trace.features() } -> std::convertible_to<tensor_of<M> const&>;
};

namespace detail {
/// Stands for "the cotangent of some loss, as a function of the prediction" where a concept has to name one.
struct any_cotangent_rule {
  template <class V>
  cotangents<V> operator()(prediction<V> const&) const;
};
}  // namespace detail

/// `hessian_vector_product(trace, rule, v)`: H v per parameter, on the trace that `retained_backward(trace, rule, wanted)` just
/// used. `rule` maps a prediction to its cotangents and is itself differentiable: it is called on `dual` values or under autograd.
/// In `v` an empty entry is a zero direction.
template <class M>
concept twice_differentiable = differentiable<M> && requires(M& m, trace_of<M>& trace, detail::any_cotangent_rule const& rule,
                                                             gradients<tensor_of<M>> const& v) {
  { m.retained_backward(trace, rule, which_gradients::prunable) } -> std::convertible_to<gradients<tensor_of<M>>>;
  { m.hessian_vector_product(trace, rule, v) } -> std::convertible_to<gradients<tensor_of<M>>>;
};

/// Whether Hessian–vector products of `M` differentiate the loss itself, so that its tensors must support it. A model whose products
/// call the rule on plain values only says `static constexpr bool differentiates_loss = false`.
template <class M>
inline constexpr bool differentiates_loss = [] {
  if constexpr (requires { M::differentiates_loss; })
    return bool(M::differentiates_loss);
  else
    return true;
}();

/// `sample_squared_gradients(trace, cotangents)`: Σ_b (J_bᵀ z_b)² per parameter, natively. Without it lnpt uses groups of samples.
template <class M>
concept squares_per_sample = differentiable<M> && requires(M& m, trace_of<M>& trace, cotangents<tensor_of<M>> const& z) {
  { m.sample_squared_gradients(trace, z) } -> std::convertible_to<gradients<tensor_of<M>>>;
};

/// `predict_without(i, x, normalization)`: what the model predicts with zeros in the place of its i-th parameter, which nobody writes to.
/// Without it lnpt sets the parameter to 0 and back.
template <class M>
concept predicts_without = differentiable<M> && requires(M& m, std::size_t i, tensor_of<M> const& x, normalization const& norm) {
  { m.predict_without(i, x, norm) } -> std::convertible_to<prediction<tensor_of<M>>>;
};

/// `freeze(inputs)`: the normalisation constants of a scoring batch that is processed in parts.
template <class M>
concept freezes_normalization = differentiable<M> && requires(M& m, std::span<tensor_of<M> const> parts) {
  { m.freeze(parts) } -> std::same_as<normalization>;
};

/// `adopt(constants)`: what `freeze` gave becomes the running statistics.
template <class M>
concept adopts_normalization = freezes_normalization<M> && requires(M& m, normalization const& constants) { m.adopt(constants); };

/// What a caller knows of the signs of the prunable weights, so that nobody has to look.
enum class weight_signs { any, nonnegative };

/// `synaptic_flow(extents)`: ∂R/∂|θ| of SynFlow for an input of ones, up to one common positive factor, safe from overflow. May take
/// `weight_signs` as well.
template <class M>
concept has_synaptic_flow = prunable<M> && requires(M& m, shape const& input) {
  { m.synaptic_flow(input) } -> std::convertible_to<gradients<tensor_of<M>>>;
};

}  // namespace lnpt
