#pragma once
/// Losses on any engine: where the tensors are if their type knows the functions, through a copy on the host otherwise.
#include <optional>
#include <type_traits>

#include <lnpt/backend/cpu/array.hpp>
#include <lnpt/core/error.hpp>
#include <lnpt/loss/concept.hpp>

namespace lnpt {

/// The tensors that losses of `T` are computed on: `T` itself where it knows the functions of losses, an array on the host otherwise.
template <tensor T>
using loss_tensor_for = std::conditional_t<loss_tensor<T>, T, cpu::array<value_type<T>>>;

namespace detail {

template <class To, class From>
[[nodiscard]] prediction<To> convert_prediction(prediction<From> const& from, To const& near) {
  prediction<To> result{convert<To>(from.output, near), std::nullopt};
  if (from.features) result.features = convert<To>(*from.features, near);
  return result;
}

/// Refuses predictions without the features that the loss reads.
template <class Loss, class T>
void require_features(prediction<T> const& student, std::type_identity_t<prediction<T>> const* teacher = nullptr) {
  if constexpr (Loss::needs.features) {
    constexpr auto remedy = ": choose a loss on logits such as pseudo_label, or let the model return {logits, features}";
    if (!student.features) fail("this loss reads features, and the model shows none for its input", remedy);
    if (teacher && !teacher->features) fail("this loss reads features, and the teacher shows none", remedy);
  }
}

/// Calls `f(prediction, target)` on tensors that losses can compute with.
template <tensor T, class F>
[[nodiscard]] auto on_loss_tensors(prediction<T> const& student, target<T> const& expected, F f) {
  if constexpr (loss_tensor<T>) {
    return f(student, expected);
  } else {
    using host = loss_tensor_for<T>;
    std::optional<prediction<host>> teacher_prediction;
    if (expected.teacher) teacher_prediction = convert_prediction<host>(*expected.teacher, host{});
    return f(convert_prediction<host>(student, host{}),
             target<host>{expected.labels, teacher_prediction ? &*teacher_prediction : nullptr});
  }
}

template <class T, class From>
[[nodiscard]] cotangents<T> convert_cotangents(cotangents<From> const& from, T const& near) {
  cotangents<T> result;
  if (from.output) result.output = convert<T>(*from.output, near);
  if (from.features) result.features = convert<T>(*from.features, near);
  return result;
}

}  // namespace detail

template <class Loss, tensor T>
[[nodiscard]] double loss_value(Loss const& loss, prediction<T> const& student, target<T> const& expected) {
  detail::require_features<Loss>(student, expected.teacher);
  return detail::on_loss_tensors(student, expected, [&](auto const& s, auto const& h) { return loss.value(s, h); });
}

template <class Loss, tensor T>
[[nodiscard]] cotangents<T> loss_cotangent(Loss const& loss, prediction<T> const& student, target<T> const& expected) {
  detail::require_features<Loss>(student, expected.teacher);
  return detail::on_loss_tensors(student, expected, [&](auto const& s, auto const& h) {
    return detail::convert_cotangents<T>(loss.cotangent(s, h), student.output);
  });
}

/// S z for the loss's curvature, z given in the shape of what the loss reads.
template <class Loss, tensor T>
[[nodiscard]] cotangents<T> loss_curvature_probe(Loss const& loss, prediction<T> const& student, T const& z) {
  detail::require_features<Loss>(student);
  return detail::on_loss_tensors(student, target<T>{}, [&](auto const& s, auto const&) {
    return detail::convert_cotangents<T>(loss.curvature_probe(s, convert<std::remove_cvref_t<decltype(s.output)>>(z, s.output)),
                                         student.output);
  });
}

}  // namespace lnpt
