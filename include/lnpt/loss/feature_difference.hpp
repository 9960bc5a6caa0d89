#pragma once
/// The difference of two feature maps, which the losses on features are functions of.
#include <lnpt/loss/concept.hpp>

namespace lnpt::detail {

/// m/T − m_t, having checked that both sides have features of one shape.
template <class V>
[[nodiscard]] V feature_difference(prediction<V> const& student, target<primal_t<V>> const& expected, double temperature) {
  auto const& teacher_prediction = expected.teacher->features;
  if (!teacher_prediction)
    fail("the teacher gives no features: pass a guide whose predictions hold a feature map as well as logits");
  if (shape_of(value_of(*student.features)) != shape_of(*teacher_prediction))
    fail("the student's features are ", list(shape_of(value_of(*student.features))), " but the teacher's are ",
         list(shape_of(*teacher_prediction)),
         ": both must have the same number of samples and the same width, or leave out the loss that compares them, as a weight "
         "of 0 does");
  return V((1.0 / temperature) * *student.features - V(*teacher_prediction));
}

}  // namespace lnpt::detail
