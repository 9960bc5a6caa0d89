#pragma once
/// What lnpt relies on in an engine, as checks that its author runs from any test framework.
#include <lnpt/conformance/derivatives.hpp>
#include <lnpt/conformance/passes.hpp>
#include <lnpt/conformance/scoring.hpp>
#include <lnpt/conformance/structure.hpp>
#include <lnpt/core/model_access.hpp>
#include <lnpt/loss/feature_mse.hpp>

namespace lnpt::conformance {

namespace detail {

/// The model's own predictions, each number moved by about a tenth: something to compare it with.
template <differentiable Model>
[[nodiscard]] prediction<tensor_of<Model>> taught_predictions(Model& model, tensor_of<Model> const& input, std::uint64_t seed) {
  auto const moved = [&](tensor_of<Model> const& t, std::uint64_t stream) {
    auto values = in_double(t);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] += 0.1 * (1 + std::abs(values[i])) * normal(seed, stream, i).first;
    return from_double(shape_of(t), values, t);
  };
  auto predicted = prediction_of(model, model.forward(input, {norm_mode::train}));
  predicted.output = moved(predicted.output, 0);
  if (predicted.features) predicted.features = moved(*predicted.features, 1);
  return predicted;
}

/// Every mode of batch norm that the model tells apart, as constants where it can be frozen.
template <differentiable Model>
[[nodiscard]] std::vector<normalization> modes_of(Model& model, tensor_of<Model> const& input) {
  std::vector<normalization> modes{{norm_mode::eval}};
  if (!has_normalization(model)) return modes;
  modes.push_back({norm_mode::train});
  if constexpr (freezes_normalization<Model>) modes.push_back(model.freeze(std::span<tensor_of<Model> const>(&input, 1)));
  return modes;
}

template <class Model, class Loss>
void examine_derivatives(subject<Model> const& s, Loss const& loss, normalization const& norm, findings& found) {
  examine_gradient(s, loss, norm, found);
  if constexpr (twice_differentiable<Model> && (loss_tensor<tensor_of<Model>> || !differentiates_loss<Model>))
    examine_hessian(s, loss, norm, found);
}

template <class Model>
concept has_jacobian_products = requires(Model& model, trace_of<Model> const& trace, gradients<tensor_of<Model>> const& v) {
  model.jacobian_vector_product(trace, v);
};

template <class Model>
void examine_mode(subject<Model> const& s, normalization const& norm, findings& found) {
  examine_repetition(s, norm, found);
  if constexpr (has_features<Model>) examine_features(s, norm, found);
  if constexpr (predicts_without<Model>)
    if (norm.mode == norm_mode::eval) examine_predictions_without(s, norm, found);
  if constexpr (squares_per_sample<Model>)
    if (norm.mode != norm_mode::train) examine_sample_squares(s, norm, found);
  if constexpr (subject<Model>::in_double) {
    examine_derivatives(s, cross_entropy{}, norm, found);
    if constexpr (has_features<Model>) examine_derivatives(s, feature_gap{}, norm, found);
  }
  if constexpr (has_features<Model>)  // all that can be differentiated, at once
    examine_derivatives(s, cross_entropy{.temperature = 3} + 0.5 * feature_mse{}, norm, found);
  else if constexpr (!subject<Model>::in_double)
    examine_derivatives(s, cross_entropy{}, norm, found);
  if constexpr (has_jacobian_products<Model>) examine_jacobian(s, norm, found);
}

/// Says what of the engine cannot be examined.
template <class Model>
void note_what_is_missing(subject<Model> const& s, findings& found) {
  if constexpr (!has_features<Model>) found.skip("features", "the trace shows none");
  if constexpr (!twice_differentiable<Model>)
    found.skip("Hessian-vector product", "the model has none");
  else if constexpr (!loss_tensor<tensor_of<Model>> && differentiates_loss<Model>)
    found.skip("Hessian-vector product", "the tensors cannot differentiate a loss");
  else if constexpr (!subject<Model>::in_double)
    found.skip("Hessian-vector product",
               "differences of gradients say nothing in float: only its symmetry is examined; pass the engine in double");
  if constexpr (!has_jacobian_products<Model>) found.skip("Jacobian-vector product", "the model has none");
  if constexpr (!squares_per_sample<Model>)
    found.skip("per-sample squares", "the model has none: scoring squares by groups of samples");
  if constexpr (!freezes_normalization<Model>)
    if (has_normalization(s.model)) found.skip("frozen statistics", "the model cannot freeze its normalisation");
}

}  // namespace detail

/// Examines a model on a labelled batch of at least two samples and returns what does not hold: nothing, if the engine conforms.
///
///     for (auto const& [property, what] : lnpt::conformance::examine(model, batch)) report(property, what);
///
/// First what everything else relies on: names that are unique, counts and shapes (where these do not hold, nothing else is examined).
/// Then, in every batch-norm mode: gradients of each parameter, Hessian– and Jacobian–vector products against central differences (a
/// direction that meets a kink is drawn again; loosely in float, where products are held against each other only), repeatability, features
/// against outputs, per-sample squares, parts against the whole, empty gradients, and that every criterion leaves parameters and buffers
/// as they were. `not_examined` says what was left out, and why. Cost: a few hundred passes per parameter tensor, so give it small
/// networks.
template <differentiable Model>
[[nodiscard]] findings examine(Model& model, labelled_batch<tensor_of<Model>> const& batch,
                               examination_options const& options = {}) {
  findings found;
  examine_structure(model, batch, found);
  if (!found.empty()) {
    found.skip("everything else", "it relies on unique names, counts and shapes");
    return found;
  }
  auto const before = detail::state_of(model);
  subject<Model> const s{model, batch, detail::taught_predictions(model, batch.input, options.seed), options};
  for (auto const& norm : detail::modes_of(model, batch.input)) detail::examine_mode(s, norm, found);
  if constexpr (freezes_normalization<Model>)
    if (has_normalization(model)) examine_frozen_parts(s, found);
  examine_criteria(s, found);
  detail::note_what_is_missing(s, found);
  if (detail::state_of(model) != before) found.add("restoration", "the passes of the examination changed the model");
  return found;
}

}  // namespace lnpt::conformance
