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
  check_same_shape("features", value_of(*student.features), *teacher_prediction);
  return V((1.0 / temperature) * *student.features - V(*teacher_prediction));
}

}  // namespace lnpt::detail
