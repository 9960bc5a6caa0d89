#pragma once
/// What is scored: a model, the scoring batches in parts, what each part is held against, and a loss.
#include <cstdint>
#include <numeric>
#include <optional>
#include <span>
#include <vector>

#include <lnpt/core/batch.hpp>
#include <lnpt/core/guide.hpp>
#include <lnpt/core/model.hpp>
#include <lnpt/loss/on_engine.hpp>

namespace lnpt {

/// How evidence is gathered.
struct score_options {
  std::optional<norm_mode> batch_norm = std::nullopt;  ///< default: the criterion's own
  std::uint64_t seed = 0;                              ///< of probes and of `random`
  int probes = 0;                                      ///< of `gauss_newton`; 0: what the policy says
  std::size_t sample_group = 5;                        ///< samples per square on engines without native per-sample squares
};

/// Whether a model normalises by batch statistics anywhere.
template <prunable Model>
[[nodiscard]] bool has_normalization(Model& model) {
  for (auto const& b : buffers_of(model))
    if (b.role == role::running_variance) return true;
  return false;
}

namespace detail {

template <class Batches>
inline constexpr bool is_range_of_batches = std::ranges::forward_range<Batches> && !batch_like<Batches>;

/// One batch as a range of one, a range of batches as it is.
template <class Batches>
[[nodiscard]] auto parts_of(Batches const& batches) {
  if constexpr (is_range_of_batches<Batches>)
    return std::span(std::ranges::data(batches), std::ranges::size(batches));
  else
    return std::span<Batches const>(&batches, 1);
}

}  // namespace detail

/// The scoring batches of a model, each with what the loss compares it with.
template <differentiable Model, class Loss>
class scoring_problem {
 public:
  using tensor_type = tensor_of<Model>;

  struct part {
    tensor_type const* input = nullptr;
    std::vector<std::int64_t> const* labels = nullptr;
    std::optional<prediction<tensor_type>> teacher_prediction = std::nullopt;
    std::size_t first_sample = 0;
    std::size_t samples = 0;

    [[nodiscard]] target<tensor_type> target_of_part() const {
      return {labels, teacher_prediction ? &*teacher_prediction : nullptr};
    }
  };

  template <class Batch, class Guide>
  scoring_problem(Model& model, std::span<Batch const> batches, Guide const& guide, Loss const& loss, normalization norm,
                  score_options options)
      : model_(&model), loss_(&loss), norm_(std::move(norm)), options_(options) {
    parts_.reserve(batches.size());
    for (auto const& batch : batches) {
      auto const samples = sample_count(batch);
      if (samples == 0) fail("scoring batch ", parts_.size(), " is empty: pass at least one sample");
      auto& next = parts_.emplace_back();
      next.input = &batch.input, next.first_sample = samples_, next.samples = samples;
      if constexpr (Loss::needs.labels) next.labels = &batch.labels;
      if constexpr (Loss::needs.teacher) next.teacher_prediction = guide.predict(batch.input, parts_.size() - 1);
      samples_ += samples;
    }
    if (parts_.empty()) fail("there is nothing to score on: pass at least one batch");
    if (norm_.mode == norm_mode::frozen && !norm_.constants && (parts_.size() > 1 || !squares_per_sample<Model>)) freeze();
  }

  [[nodiscard]] Model& model() const { return *model_; }
  [[nodiscard]] Loss const& loss() const { return *loss_; }
  [[nodiscard]] std::span<part const> parts() const { return parts_; }
  [[nodiscard]] std::size_t samples() const { return samples_; }
  [[nodiscard]] normalization const& norm() const { return norm_; }
  [[nodiscard]] score_options const& options() const { return options_; }

  /// The cotangents of this part's share of the batch mean, as a function of the prediction; differentiable on duals.
  [[nodiscard]] auto rule(part const& p) const {
    auto const share = static_cast<double>(p.samples) / static_cast<double>(samples_);
    return [this, share, expected = p.target_of_part()]<class V>(prediction<V> const& predicted) -> cotangents<V> {
      cotangents<V> slopes;
      if constexpr (is_dual<V>)
        slopes = loss_->cotangent(predicted, expected);
      else
        slopes = loss_cotangent(*loss_, predicted, expected);
      if (share != 1.0) {
        if (slopes.output) slopes.output = V(share * *slopes.output);
        if (slopes.features) slopes.features = V(share * *slopes.features);
      }
      return slopes;
    };
  }

 private:
  void freeze() {
    if constexpr (freezes_normalization<Model>) {
      std::vector<tensor_type> inputs;
      for (auto const& p : parts_) inputs.push_back(*p.input);
      norm_ = model_->freeze(std::span<tensor_type const>(inputs));
    } else if (has_normalization(*model_)) {
      fail(
          "this model cannot take its normalisation constants from a scoring batch: give it freeze(inputs), or score with "
          "norm_mode::eval");
    }
  }

  Model* model_;
  Loss const* loss_;
  normalization norm_;
  score_options options_;
  std::vector<part> parts_;
  std::size_t samples_ = 0;
};

namespace detail {

/// into += from, entry by entry; an entry is reached if either side is.
template <class T>
void accumulate(gradients<T>& into, gradients<T> from) {
  if (into.empty()) into.resize(from.size());
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (!from[i]) continue;
    into[i] = into[i] ? T(*into[i] + *from[i]) : std::move(*from[i]);
  }
}

template <class T>
void scale(gradients<T>& g, double factor) {
  if (factor == 1.0) return;
  for (auto& each : g)
    if (each) each = T(factor * *each);
}

}  // namespace detail
}  // namespace lnpt
