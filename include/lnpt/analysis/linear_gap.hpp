#pragma once
/// The learning gap to first order: how far a student's features would move if its weights went to the teacher's along a straight line.
#include <cmath>
#include <utility>

#include <lnpt/analysis/weight_distance.hpp>
#include <lnpt/core/error.hpp>
#include <lnpt/core/model.hpp>
#include <lnpt/core/model_access.hpp>
#include <lnpt/core/normalization.hpp>
#include <lnpt/loss/feature_difference.hpp>

namespace lnpt {

/// `jacobian_vector_product(trace, v)`: J v for output and features on a trace that `forward` made; in `v` an empty entry is a zero
/// direction.
template <class M>
concept jacobian_products = has_features<M> && requires(M& m, trace_of<M>& trace, gradients<tensor_of<M>> const& v) {
  { m.jacobian_vector_product(trace, v) } -> std::convertible_to<prediction<tensor_of<M>>>;
};

/// J·d and how far it is from the gap itself.
template <tensor T>
struct linear_gap {
  T moved;                    ///< J·d, [B, M]
  double relative_error = 0;  ///< ‖J·d − Δm‖ / ‖Δm‖ over the batch: 0 where the network is linear in its weights
};

/// The first-order learning gap of a batch.
///
///     J·d,   J = ∂m_s/∂θ,   d = θ_t − θ_s over prunable weights             Xiao et al. 2024, arXiv:2403.12690, eqs. (1), (16)
///
/// `input`: [B, …]; `norm` is the student's, the teacher runs in eval mode. One forward pass of each and one tangent pass; J is never
/// formed. Throws where the networks' weights differ in shape, and where their features are equal: the error is then no number.
template <jacobian_products Student, jacobian_products Teacher>
  requires std::same_as<tensor_of<Student>, tensor_of<Teacher>>
[[nodiscard]] linear_gap<tensor_of<Student>> linear_gap_of(Student& student, Teacher& teacher, tensor_of<Student> const& input,
                                                           normalization const& norm = {}) {
  using T = tensor_of<Student>;
  auto const d = weight_difference(student, teacher);
  if (!d)
    fail("J·d leads from a student's weights to its teacher's, and these differ in shape: take a teacher of the same network");
  auto trace = student.forward(input, norm);
  auto const predicted = prediction_of(student, trace);
  auto const taught = prediction_without_trace(teacher, input, normalization{norm_mode::eval});
  T const gap = -1.0 * detail::feature_difference(predicted, target<T>{nullptr, &taught}, 1.0);
  prediction<T> const moved = student.jacobian_vector_product(trace, *d);
  auto const length = std::sqrt(squared_length<T>({gap}));
  if (length == 0)
    fail("student and teacher have equal features, so that J·d has no relative error: compare networks that differ");
  T const off = *moved.features + -1.0 * gap;
  return {*moved.features, std::sqrt(squared_length<T>({off})) / length};
}

}  // namespace lnpt
