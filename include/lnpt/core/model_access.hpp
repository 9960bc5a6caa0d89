#pragma once
/// How the library asks a model: by the member that spares work where the model has it, else by one that every model has.
#include <concepts>
#include <optional>
#include <ranges>
#include <utility>
#include <vector>

#include <lnpt/core/model.hpp>

namespace lnpt {

/// The backward pass after which nobody reads the trace: an engine whose `backward` takes it as an rvalue may free it as it goes.
template <differentiable M>
[[nodiscard]] gradients<tensor_of<M>> last_backward(M& model, trace_of<M> trace, cotangents<tensor_of<M>> const& cotangent,
                                                    which_gradients which) {
  if constexpr (requires { model.backward(std::move(trace), cotangent, which); })
    return model.backward(std::move(trace), cotangent, which);
  else
    return model.backward(trace, cotangent, which);
}

/// The product after which nobody reads the trace: an engine whose `hessian_vector_product` takes it as an rvalue may free it as it
/// goes.
template <twice_differentiable M, class Rule>
[[nodiscard]] gradients<tensor_of<M>> last_hessian_vector_product(M& model, trace_of<M> trace, Rule const& rule,
                                                                  gradients<tensor_of<M>> const& v) {
  if constexpr (requires { model.hessian_vector_product(std::move(trace), rule, v); })
    return model.hessian_vector_product(std::move(trace), rule, v);
  else
    return model.hessian_vector_product(trace, rule, v);
}

/// What a model holds of its parameters: `stored_parameters()` where some are held by their kept weights alone, and show those as a
/// vector; else `parameters()`.
template <prunable M>
[[nodiscard]] auto stored_parameters_of(M& model) {
  if constexpr (requires { model.stored_parameters(); })
    return model.stored_parameters();
  else
    return model.parameters();
}

/// A tensor where the model's own are: its `near()` if it has one, since a model need not have parameters to score, else the first
/// parameter.
template <prunable M>
[[nodiscard]] tensor_of<M> tensor_near(M& model) {
  if constexpr (requires {
                  { model.near() } -> std::convertible_to<tensor_of<M>>;
                }) {
    return model.near();
  } else {
    auto const parameters = stored_parameters_of(model);
    return *std::ranges::begin(parameters)->value;
  }
}

template <prunable M>
[[nodiscard]] auto buffers_of(M& model) {
  if constexpr (requires { model.buffers(); })
    return model.buffers();
  else
    return std::vector<parameter<tensor_of<M>>>{};
}

/// Whether a model normalises by batch statistics anywhere.
template <prunable Model>
[[nodiscard]] bool has_normalization(Model& model) {
  for (auto const& b : buffers_of(model))
    if (b.role == role::running_variance) return true;
  return false;
}

/// What a trace predicts, features included where the model has them. A trace whose `features()` may fail says `finds_features()`.
template <differentiable M>
[[nodiscard]] prediction<tensor_of<M>> prediction_of(M const&, trace_of<M> const& trace) {
  if constexpr (requires {
                  { trace.finds_features() } -> std::convertible_to<bool>;
                })
    return {trace.output(), trace.finds_features() ? std::optional(trace.features()) : std::nullopt};
  else if constexpr (has_features<M>)
    return {trace.output(), trace.features()};
  else
    return {trace.output(), std::nullopt};
}

/// What a model predicts, by its own `predict(x, normalization)` where it has one that keeps no trace.
template <differentiable M>
[[nodiscard]] prediction<tensor_of<M>> prediction_without_trace(M& model, tensor_of<M> const& x, normalization const& norm) {
  if constexpr (requires { model.predict(x, norm); })
    return model.predict(x, norm);
  else
    return prediction_of(model, model.forward(x, norm));
}

}  // namespace lnpt
