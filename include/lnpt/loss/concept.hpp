#pragma once
/// What a loss is: a value and its cotangents, over what the student predicts and what it is held against.
#include <cstdint>
#include <string>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/core/model.hpp>
#include <lnpt/loss/dual_functions.hpp>

namespace lnpt {

/// What a loss compares the student with; a loss reads only what it declares in `needs`.
template <class T>
struct target {
  std::vector<std::int64_t> const* labels = nullptr;
  prediction<T> const* teacher = nullptr;
};

/// What a loss reads. A requirement of the loss's type, checked when it meets a batch, a guide and a model.
struct loss_needs {
  bool labels = false;
  bool teacher = false;
  bool features = false;

  friend constexpr loss_needs operator|(loss_needs a, loss_needs b) {
    return {a.labels || b.labels, a.teacher || b.teacher, a.features || b.features};
  }
};

/// A policy with `static constexpr loss_needs needs`, `value(prediction, target)` and `cotangent(prediction, target)`, both of the
/// batch mean. `cotangent` is generic over its value type, so that it can be differentiated on duals.
template <class L, class T>
concept loss_for = std::copyable<L> && requires(L const& loss, prediction<T> const& student, target<T> const& expected) {
  { L::needs } -> std::convertible_to<loss_needs>;
  { loss.value(student, expected) } -> std::convertible_to<double>;
  { loss.cotangent(student, expected) } -> std::same_as<cotangents<T>>;
};

/// A loss ℓ(f) whose Hessian has a known root: `curvature_probe(student, z)` is S z per sample, S Sᵀ = ∂²ℓ_b/∂f².
template <class L, class T>
concept has_curvature_probe = loss_for<L, T> && requires(L const& loss, prediction<T> const& student, T const& z) {
  { loss.curvature_probe(student, z) } -> std::same_as<cotangents<T>>;
};

namespace detail {

/// Refuses labels that do not fit [B, K]: a wrong count, or a class id outside [0, K). `first`: which sample of all the first row is.
template <class T>
void check_labels(std::vector<std::int64_t> const& labels, T const& output, std::size_t first = 0) {
  auto const extents = shape_of(output);
  if (labels.size() != extents.at(0))
    fail("the batch has ", extents[0], " samples but ", labels.size(), " labels: pass one per sample");
  auto const classes = static_cast<std::int64_t>(extents.at(1));
  for (std::size_t i = 0; i < labels.size(); ++i)
    if (labels[i] < 0 || labels[i] >= classes)
      fail("label ", labels[i], " of sample ", first + i, " is out of range: the model has ", classes,
           " classes, so labels go from 0 to ", classes - 1);
}

/// Refuses a teacher whose predictions do not have the student's shape.
template <class T>
void check_same_shape(char const* what, T const& student, T const& teacher) {
  if (shape_of(student) != shape_of(teacher))
    fail("the student's ", what, " are ", list(shape_of(student)), " but the teacher's are ", list(shape_of(teacher)),
         ": both must have the same number of samples and the same width");
}

template <class V>
[[nodiscard]] auto const& value_of(V const& v) {
  if constexpr (is_dual<V>)
    return v.value;
  else
    return v;
}

}  // namespace detail
}  // namespace lnpt
