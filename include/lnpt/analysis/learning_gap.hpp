#pragma once
/// How far a student's features are from its teacher's, over a whole data set.
#include <cstddef>
#include <utility>

#include <lnpt/core/batch.hpp>
#include <lnpt/core/error.hpp>
#include <lnpt/core/guide.hpp>
#include <lnpt/core/model_access.hpp>
#include <lnpt/loss/feature_gap.hpp>
#include <lnpt/loss/on_engine.hpp>

namespace lnpt {

/// The mean squared distance between two networks' penultimate features, over as many batches as are added.
///
///     ℓ = 1/N Σ_n ‖m_t,n − m_s,n‖²                     Xiao et al. 2024, arXiv:2403.12690, eq. (5), plotted in Fig. 6
///
/// m_t, m_s: features [B, M] of teacher and student. Computed where they are; one number a batch comes to the host.
class learning_gap {
 public:
  /// Adds one batch. Throws where a network shows no features, or features of another width.
  template <tensor T>
  void add(prediction<T> const& student, prediction<T> const& teacher) {
    auto const samples = shape_of(student.output).at(0);
    sum_ += static_cast<double>(samples) * loss_value(feature_gap{}, student, target<T>{nullptr, &teacher});
    samples_ += samples;
  }

  [[nodiscard]] std::size_t samples() const { return samples_; }
  /// Throws where nothing was added.
  [[nodiscard]] double mean() const {
    if (samples_ == 0) fail("a learning gap over no samples is no number: add a batch first");
    return sum_ / static_cast<double>(samples_);
  }

 private:
  double sum_ = 0;
  std::size_t samples_ = 0;
};

/// The learning gap of a student over a batch or a range of batches. `norm` says how the student's batch norm runs; `frozen` without
/// constants takes the statistics of each batch, which a student that was never trained needs.
template <differentiable Model, class Batches, class Guide>
[[nodiscard]] double learning_gap_of(Model& student, Batches const& batches, Guide const& guide, normalization const& norm = {}) {
  learning_gap gap;
  for (std::size_t part = 0; auto const& batch : detail::parts_of(batches)) {
    auto const predicted = prediction_without_trace(student, batch.input, norm);
    gap.add(predicted, prediction<tensor_of<Model>>(guide.predict(batch.input, part++)));
  }
  return gap.mean();
}

}  // namespace lnpt
