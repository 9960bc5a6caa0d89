#pragma once
/// A student that is its own teacher, whose difference from it is made by batch norm's modes alone.
#include <concepts>

#include <lnpt/core/extremes.hpp>
#include <lnpt/core/guide.hpp>
#include <lnpt/core/model_access.hpp>
#include <lnpt/loss/on_engine.hpp>

namespace lnpt::detail {

/// A guide that knows whether it has the weights of a network.
template <class Guide, class Model>
concept knows_weights = requires(Guide const& guide, Model& model) {
  { guide.has_weights_of(model) } -> std::convertible_to<bool>;
};

/// Refuses a student that has its teacher's weights under a loss that is least where both say the same: the teacher normalises by running
/// statistics and the student, but in eval mode, by those of the batch, and that is all the difference there is. `said` is the teacher's
/// prediction of some input, at which the slopes of such a loss are 0.
template <class Model, class Guide, class Loss, class T>
void refuse_own_teacher(Model& model, Guide const& guide, Loss const& loss, norm_mode mode, target<T> const& said) {
  if constexpr (knows_weights<Guide, Model>) {
    if (mode == norm_mode::eval || !has_normalization(model)) return;
    // The slopes of one batch first: they cost less than a look at all weights.
    auto const slope = loss_cotangent(loss, *said.teacher, said);
    auto const is_zero = [](auto const& part) { return !part || extremes_of(*part).all_zero(); };
    if (is_zero(slope.output) && is_zero(slope.features) && guide.has_weights_of(model))
      fail(
          "student and teacher have the same weights, so that the loss compares nothing but the modes of their batch norms: name "
          "a teacher of other weights, snip under the loss pseudo_label, whose slopes are not 0 there, or a criterion that asks "
          "no teacher, such as synflow");
  }
}

}  // namespace lnpt::detail
