#pragma once
/// What forward and backward promise beside being right: repeatability, honest traces, empty gradients, samples and parts that add up.
#include <lnpt/conformance/examination.hpp>
#include <lnpt/core/guard.hpp>

namespace lnpt::conformance {

namespace detail {

/// The cotangent of the learning gap: it reaches the features only.
template <class Model>
[[nodiscard]] cotangents<tensor_of<Model>> feature_slope(prediction<tensor_of<Model>> const& predicted) {
  return {std::nullopt, predicted.features};
}

/// W m + b of a classifier, in double.
template <tensor T>
[[nodiscard]] numbers classify(T const& features, T const& weight, T const& bias) {
  auto const m = in_double(features);
  auto const w = in_double(weight);
  auto const b = in_double(bias);
  auto const classes = b.size();
  auto const width = w.size() / classes;
  numbers logits;
  for (std::size_t sample = 0; sample < m.size() / width; ++sample)
    for (std::size_t k = 0; k < classes; ++k) {
      logits.push_back(b[k]);
      for (std::size_t j = 0; j < width; ++j) logits.back() += w[k * width + j] * m[sample * width + j];
    }
  return logits;
}

template <class T>
[[nodiscard]] T const* value_named(std::vector<parameter<T>> const& parameters, std::string const& name) {
  for (auto const& p : parameters)
    if (p.name == name) return p.value;
  return nullptr;
}

}  // namespace detail

/// The same pass twice gives the same bits, and gradients of prunable weights do not depend on what else is wanted.
template <class Model>
void examine_repetition(subject<Model> const& s, normalization const& norm, findings& found) {
  auto first = s.forward(norm);
  auto second = s.forward(norm);
  if (!detail::same_bits(first.output(), second.output()))
    found.add("trace", "two forward passes over one batch give different outputs");
  cotangents<tensor_of<Model>> const slope{first.output(), std::nullopt};
  auto const every = s.model.backward(first, slope, which_gradients::all);
  if (!detail::same_bits(gradients<tensor_of<Model>>(every),
                         gradients<tensor_of<Model>>(s.model.backward(second, slope, which_gradients::all))))
    found.add("trace", "two backward passes give different gradients");
  auto const prunable = s.model.backward(first, slope, which_gradients::prunable);
  std::size_t i = 0;
  for (auto const& p : s.model.parameters()) {
    auto const index = i++;
    if (is_prunable(p.role) && every[index].has_value() != prunable[index].has_value())
      found.add("trace", p.name, " is reached or not depending on which gradients are wanted");
    else if (is_prunable(p.role) && every[index] && !detail::same_bits(*every[index], *prunable[index]))
      found.add("trace", "the gradient of ", p.name, " depends on which gradients are wanted");
  }
}

/// The features are what the classifier reads, and a loss of the features does not reach the classifier.
template <class Model>
void examine_features(subject<Model> const& s, normalization const& norm, findings& found) {
  auto trace = s.forward(norm);
  auto const g = s.model.backward(trace, detail::feature_slope<Model>(s.predicted(trace)), which_gradients::prunable);
  std::vector<parameter<tensor_of<Model>>> parameters;
  for (auto const& p : s.model.parameters()) parameters.push_back(p);
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    auto const& p = parameters[i];
    if (p.role != role::classifier_weight) continue;
    if (g[i]) found.add("reach", p.name, " has a gradient, though the loss is of the features: leave it empty, not zero");
    auto const* const bias = detail::value_named(parameters, p.name.substr(0, p.name.rfind('.')) + ".bias");
    if (!bias || shape_of(*p.value).size() != 2) continue;
    auto const expected = detail::classify(trace.features(), *p.value, *bias);
    auto const apart = detail::length(detail::difference(detail::in_double(trace.output()), expected));
    if (!(apart <= detail::rounding<tensor_of<Model>> * detail::length(expected)))
      found.add("trace", "features() do not give output() through ", p.name, ": they differ by ", apart);
  }
}

/// What the model predicts without a prunable parameter is what it predicts while that is 0.
template <class Model>
void examine_predictions_without(subject<Model> const& s, normalization const& norm, findings& found) {
  using T = tensor_of<Model>;
  std::size_t i = 0;
  for (auto const& p : s.model.parameters()) {
    auto const index = i++;
    if (!is_prunable(p.role)) continue;
    T const expected = prediction_under_zeros(s.model, p, s.batch.input, norm).output;
    if (!detail::close(s.model.predict_without(index, s.batch.input, norm).output, expected, detail::rounding<T>))
      found.add("predictions", "predict_without() of ", p.name, " is another prediction than that under zeros in its place");
  }
}

/// Σ_b (J_bᵀ z_b)² is the sum over samples of squared gradients of one sample each.
template <class Model>
void examine_sample_squares(subject<Model> const& s, normalization const& norm, findings& found) {
  using T = tensor_of<Model>;
  auto trace = s.forward(norm);
  T const z = trace.output();  // any cotangent will do
  gradients<T> const squares = s.model.sample_squared_gradients(trace, {z, std::nullopt});
  gradients<T> expected;
  for (std::size_t b = 0; b < sample_count(s.batch); ++b) {
    auto one = s.model.forward(rows(s.batch.input, b, b + 1), norm);
    gradients<T> g = s.model.backward(one, {rows(z, b, b + 1), std::nullopt}, which_gradients::prunable);
    for (auto& each : g)
      if (each) each = T(*each * *each);
    lnpt::detail::accumulate(expected, std::move(g));
  }
  std::size_t i = 0;
  for (auto const& p : s.model.parameters()) {
    auto const index = i++;
    if (!is_prunable(p.role)) continue;
    if (squares[index].has_value() != expected[index].has_value())
      found.add("per-sample squares", p.name, " is reached by one of squares and gradients only");
    else if (squares[index] && !detail::close(*squares[index], *expected[index], detail::rounding<T>))
      found.add("per-sample squares", p.name, " has other squares than its gradients sample by sample");
  }
}

/// Frozen statistics: outputs as in train mode, also where the batch comes in two parts, whose gradients add up to the whole's.
template <class Model>
void examine_frozen_parts(subject<Model> const& s, findings& found) {
  using T = tensor_of<Model>;
  auto const samples = sample_count(s.batch);
  auto const middle = (samples + 1) / 2;
  std::vector<T> const parts{rows(s.batch.input, 0, middle), rows(s.batch.input, middle, samples)};
  normalization const norm = s.model.freeze(std::span<T const>(parts));
  auto whole = s.forward(norm);
  if (!detail::close(whole.output(), s.forward({norm_mode::train}).output(), detail::rounding<T>))
    found.add("frozen statistics", "outputs differ from those of train mode");
  gradients<T> const g = s.model.backward(whole, {whole.output(), std::nullopt}, which_gradients::prunable);
  gradients<T> sum;
  for (auto const& part : parts) {
    auto trace = s.model.forward(part, norm);
    lnpt::detail::accumulate(sum,
                             gradients<T>(s.model.backward(trace, {trace.output(), std::nullopt}, which_gradients::prunable)));
  }
  std::size_t i = 0;
  for (auto const& p : s.model.parameters())
    if (auto const index = i++; g[index] && !(sum[index] && detail::close(*sum[index], *g[index], detail::rounding<T>)))
      found.add("frozen statistics", "gradients of ", p.name, " over two parts do not add up to that of the whole batch");
}

}  // namespace lnpt::conformance
