#pragma once
/// Whether a network's weights are exchangeable within their layers, as those of a fresh one are.
#include <lnpt/core/agreement.hpp>
#include <lnpt/core/model_access.hpp>
#include <lnpt/loss/functions.hpp>

namespace lnpt::detail {

/// Whether a network is untrained, as far as its decisions show: on the first scoring batch it agrees with its teacher by κ < ½. One forward
/// pass of that batch, in eval mode. Of several processes the one that holds the batch decides for all.
template <class Problem>
[[nodiscard]] bool has_exchangeable_weights(Problem const& problem) {
  auto const& part = problem.parts().front();
  if (!part.teacher_prediction) return false;
  double is_untrained = 0;
  if (part.first_sample == 0) {
    auto const own = prediction_without_trace(problem.model(), *part.input, normalization{norm_mode::eval});
    is_untrained = cohens_kappa(decided_classes(own.output), decided_classes(part.teacher_prediction->output)) < 0.5;
  }
  problem.complete(is_untrained);
  return is_untrained != 0;
}

}  // namespace lnpt::detail
