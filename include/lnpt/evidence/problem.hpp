#pragma once
/// What is scored: a model, the scoring batches in parts, what each part is held against, and a loss.
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <lnpt/core/batch.hpp>
#include <lnpt/core/gradients.hpp>
#include <lnpt/core/guide.hpp>
#include <lnpt/core/model.hpp>
#include <lnpt/core/model_access.hpp>
#include <lnpt/evidence/evidence.hpp>
#include <lnpt/evidence/own_teacher.hpp>
#include <lnpt/loss/on_engine.hpp>

namespace lnpt {

/// The scoring batches of a model, each with what the loss compares it with.
template <differentiable Model, class Loss>
class scoring_problem {
 public:
  using tensor_type = tensor_of<Model>;
  using trace_type = trace_of<Model>;

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
      : scoring_problem(not_frozen{}, model, batches, guide, loss, std::move(norm), options) {
    if (takes_constants() && (parts_.size() > 1 || !squares_per_sample<Model>)) freeze();
  }

  [[nodiscard]] Model& model() const { return *model_; }
  [[nodiscard]] Loss const& loss() const { return *loss_; }
  [[nodiscard]] std::span<part const> parts() const { return parts_; }
  [[nodiscard]] std::size_t samples() const { return samples_; }
  [[nodiscard]] normalization const& norm() const { return norm_; }
  [[nodiscard]] score_options const& options() const { return options_; }

  /// Whether the scoring batch is one part, so that one pass sees all of it.
  [[nodiscard]] bool is_in_one_part() const { return parts_.size() == 1; }
  /// Makes sums over the parts at hand those over all parts, where other processes hold some.
  template <class Sum>
  void complete(Sum&) const {}

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

 protected:
  struct not_frozen {};

  template <class Batch, class Guide>
  scoring_problem(not_frozen, Model& model, std::span<Batch const> batches, Guide const& guide, Loss const& loss,
                  normalization norm, score_options options)
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
    if constexpr (Loss::needs.teacher)
      detail::refuse_own_teacher(model, guide, loss, norm_.mode, parts_.front().target_of_part());
  }

  /// The samples at hand are some of those of all processes: so many are before them, and so many are there in all.
  void place_among(std::size_t before, std::size_t all) {
    for (auto& p : parts_) p.first_sample += before;
    samples_ = all;
  }

  [[nodiscard]] bool takes_constants() const { return norm_.mode == norm_mode::frozen && !norm_.constants; }
  /// Takes the constants of normalisation over all parts; `more` are further arguments of the model's `freeze`.
  template <class... More>
  void freeze(More const&... more) {
    if constexpr (requires(std::span<tensor_type const> inputs) { model_->freeze(inputs, more...); }) {
      std::vector<tensor_type> inputs;
      for (auto const& p : parts_) inputs.push_back(*p.input);
      norm_ = model_->freeze(std::span<tensor_type const>(inputs), more...);
    } else if (has_normalization(*model_)) {
      fail("this model cannot take its normalisation constants from a scoring batch",
           sizeof...(More) > 0 ? " of several processes" : "", ": give it freeze(inputs", sizeof...(More) > 0 ? ", sum" : "",
           "), or score with batch norm in eval mode");
    }
  }

 private:
  Model* model_;
  Loss const* loss_;
  normalization norm_;
  score_options options_;
  std::vector<part> parts_;
  std::size_t samples_ = 0;
};

namespace detail {

/// How batches of a type pose a problem; another way where several processes hold parts of them (distributed/problem.hpp).
template <class Batches>
struct problem_on {
  template <class Model, class Guide, class Loss>
  [[nodiscard]] static auto pose(Model& model, Batches const& batches, Guide const& guide, Loss const& loss,
                                 normalization const& norm, score_options const& options) {
    return scoring_problem<Model, Loss>(model, parts_of(batches), guide, loss, norm, options);
  }
};

}  // namespace detail

}  // namespace lnpt
