#pragma once
/// Squares of the gradients of single samples, on any engine.
#include <algorithm>
#include <cstddef>
#include <optional>
#include <type_traits>
#include <utility>

#include <lnpt/core/error.hpp>
#include <lnpt/core/gradients.hpp>
#include <lnpt/core/model_access.hpp>

namespace lnpt::detail {

template <class T>
void accumulate_squares(gradients<T>& into, gradients<T> from) {
  for (auto& each : from)
    if (each) each = T(*each * *each);
  accumulate(into, std::move(from));
}

/// Refuses batch norm that makes the samples of a batch depend on one another.
template <class Problem>
void require_uncoupled_samples(Problem const& problem, char const* who, char const* other_remedy = "") {
  if (problem.norm().mode == norm_mode::train && has_normalization(problem.model()))
    fail(who, " squares per sample, but batch norm in train mode couples the samples of a batch: score with batch norm frozen",
         other_remedy);
}

/// The cotangents of samples [begin, end).
template <class T>
[[nodiscard]] cotangents<T> rows_of(cotangents<T> const& all, std::size_t begin, std::size_t end) {
  cotangents<T> some;
  if (all.output) some.output = rows(*all.output, begin, end);
  if (all.features) some.features = rows(*all.features, begin, end);
  return some;
}

/// Σ (J_bᵀ s_b)² of one part, s the cotangents of its samples: natively per sample, or of groups of `group` samples through `backward`.
template <class Problem, class T = typename Problem::tensor_type>
[[nodiscard]] gradients<T> sample_squares(Problem const& problem, typename Problem::part const& p,
                                          typename Problem::trace_type& trace, cotangents<T> const& slope,
                                          [[maybe_unused]] std::size_t group) {
  auto& model = problem.model();
  using model_type = std::remove_reference_t<decltype(model)>;
  if constexpr (squares_per_sample<model_type>) {
    return checked_gradients(model, "sample_squared_gradients()", model.sample_squared_gradients(trace, slope));
  } else {
    if (group == 0) fail("sample_group is 0: square the gradients of groups of at least 1 sample");
    gradients<T> squares;
    for (std::size_t begin = 0; begin < p.samples; begin += group) {
      auto const end = std::min(begin + group, p.samples);
      auto sub = model.forward(rows(*p.input, begin, end), problem.norm());
      accumulate_squares(squares, checked_gradients(model, "backward()",
                                                    model.backward(sub, rows_of(slope, begin, end), which_gradients::prunable)));
    }
    return squares;
  }
}

}  // namespace lnpt::detail
