#pragma once
/// Which parameters a network cannot do without, since there is no way around them.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <exception>
#include <optional>
#include <ranges>
#include <vector>

#include <lnpt/core/guard.hpp>
#include <lnpt/core/model_access.hpp>

namespace lnpt::detail {

/// What a model predicts with zeros in the place of its i-th parameter.
template <differentiable M>
[[nodiscard]] prediction<tensor_of<M>> prediction_without(M& model, std::size_t i, tensor_of<M> const& x,
                                                          normalization const& norm) {
  if constexpr (predicts_without<M>) {
    return model.predict_without(i, x, norm);
  } else {
    auto const parameters = model.parameters();
    return prediction_under_zeros(model, *std::ranges::next(std::ranges::begin(parameters), static_cast<std::ptrdiff_t>(i)), x,
                                  norm);
  }
}

/// Whether a model takes this batch: one whose number of samples is fixed takes no smaller one.
template <differentiable M>
[[nodiscard]] bool takes(M& model, tensor_of<M> const& x, normalization const& norm) try {
  static_cast<void>(prediction_without_trace(model, x, norm));
  return true;
} catch (std::exception const&) {
  return false;
}

/// The first samples of the scoring batches, as few as are needed to see whether a network tells them apart.
template <class Problem>
class few_samples {
 public:
  explicit few_samples(Problem const& problem) {
    for (auto const& part : problem.parts()) {
      if (count_ >= enough) return;
      auto x = *part.input;
      if (part.samples > enough - count_)
        if (auto const first = rows(x, 0, enough - count_); takes(problem.model(), first, norm_)) x = first;
      count_ += shape_of(x).at(0);
      inputs_.push_back(std::move(x));
    }
  }

  /// How far apart they are by their outputs f_b, whatever numbers these are of: Σ_b Σ_j |f_bj − f_0j|. `predict(x, normalization)` gives them.
  template <class Predict>
  [[nodiscard]] double spread(Predict predict) const {
    std::vector<double> all;
    for (auto const& x : inputs_)
      for (auto const value : values_of(predict(x, norm_).output)) all.push_back(static_cast<double>(value));
    auto const width = all.size() / count_;
    double sum = 0;
    for (std::size_t i = width; i < all.size(); ++i) sum += std::abs(all[i] - all[i % width]);
    return sum;
  }

 private:
  static constexpr std::size_t enough = 4;
  normalization norm_{norm_mode::eval};
  std::vector<typename Problem::tensor_type> inputs_;
  std::size_t count_ = 0;
};

/// One flag for each parameter: whether a network with zeros in its place says the same of every sample, as it does without a layer that every
/// path from the input leads through. A layer beside a shortcut is none of them. Where the network tells no samples apart, as where there
/// is one alone, nothing can be seen, and none is.
///
/// Costs a forward pass of four samples for each prunable parameter, in eval mode; where the model takes no fewer, one of a whole scoring
/// batch. Of several processes the one that holds the first samples decides for all.
template <class Problem>
[[nodiscard]] std::vector<char> indispensable_parameters(Problem const& problem) {
  constexpr double negligible = 1e-3;  // of what the whole network tells apart: what is left is rounding
  auto& model = problem.model();
  std::vector<char> flags;
  for (auto const& p : model.parameters()) flags.push_back(is_prunable(p.role));
  std::optional<few_samples<Problem>> samples;
  if (problem.parts().front().first_sample == 0) samples.emplace(problem);
  auto const whole =
      samples ? samples->spread([&](auto const& x, auto const& norm) { return prediction_without_trace(model, x, norm); }) : 0.0;
  for (std::size_t i = 0; i < flags.size(); ++i) {
    if (!flags[i]) continue;
    auto const without = [&](auto const& x, auto const& norm) { return prediction_without(model, i, x, norm); };
    double is_indispensable = std::isnormal(whole) && samples->spread(without) <= negligible * whole;
    problem.complete(is_indispensable);
    flags[i] = is_indispensable != 0;
  }
  return flags;
}

}  // namespace lnpt::detail
