#pragma once
/// Where a teacher's word comes from: a live model, or predictions that were computed elsewhere.
#include <concepts>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/core/model.hpp>
#include <lnpt/core/model_access.hpp>
#include <lnpt/core/same_weights.hpp>

namespace lnpt {

/// `predict(input, part)`: what the teacher says of `input`, which is part number `part` of the scoring batches.
template <class G, class T>
concept guide_for = requires(G const& guide, T const& input, std::size_t part) {
  { guide.predict(input, part) } -> std::convertible_to<prediction<T>>;
};

/// A trained model as the guide. It runs in eval mode and is never changed. Its engine may be another than the student's.
template <class Model>
class teacher {
  static_assert(!std::is_const_v<Model>,
                "lnpt: a teacher runs its model, whose passes are no const members, and leaves it as it was. Pass a model that "
                "is not const.");
  static_assert(
      std::is_const_v<Model> || differentiable<Model>,
      "lnpt: this is not a model that can be a teacher. It has a tensor_type described by lnpt::tensor_traits, parameters(), "
      "forward(x, normalization) and backward(trace, cotangents, which_gradients); see examples/host_engine.cpp.");

 public:
  explicit teacher(Model& model) : model_(model) {}
  /// A temporary: refused, since it would be gone before anybody asks.
  template <class Nothing = void>
  explicit teacher(Model&& model) : model_(model) {
    static_assert(
        !std::same_as<Nothing, void>,
        "lnpt: a teacher refers to its model, and this one is a temporary. Give the model a name, auto trained = …, and write "
        "teacher{trained}.");
  }

  template <tensor T>
  [[nodiscard]] prediction<T> predict(T const& input, std::size_t = 0) const {
    auto& model = model_.get();
    auto const near = tensor_near(model);
    auto const predicted =
        prediction_without_trace(model, convert<tensor_of<Model>>(input, near), normalization{norm_mode::eval});
    prediction<T> result{convert<T>(predicted.output, input), std::nullopt};
    if (predicted.features) result.features = convert<T>(*predicted.features, input);
    return result;
  }

  /// Whether the teacher is this network, or one of the same weights.
  template <prunable Student>
  [[nodiscard]] bool has_weights_of(Student& student) const {
    if constexpr (std::same_as<Student, Model>)
      if (&student == &model_.get()) return true;
    return have_same_weights(student, model_.get());
  }

 private:
  std::reference_wrapper<Model> model_;
};

/// A teacher's predictions at hand, one per scoring batch, in their order; with the teacher's `fingerprint_of`, a student that is its own
/// teacher is known.
template <tensor T>
class known_predictions {
 public:
  explicit known_predictions(std::vector<prediction<T>> parts, std::optional<std::uint64_t> fingerprint = std::nullopt)
      : parts_(std::move(parts)), fingerprint_(fingerprint) {}
  explicit known_predictions(prediction<T> only) { parts_.push_back(std::move(only)); }

  [[nodiscard]] prediction<T> const& predict(T const&, std::size_t part) const {
    if (part >= parts_.size())
      fail("there are predictions for ", parts_.size(), " scoring batches, but batch ", part,
           " was asked for: pass one per batch");
    return parts_[part];
  }

  /// Whether the teacher is known to have the weights of this network.
  template <prunable Student>
  [[nodiscard]] bool has_weights_of(Student& student) const {
    return fingerprint_ && *fingerprint_ == fingerprint_of(student);
  }

 private:
  std::vector<prediction<T>> parts_;
  std::optional<std::uint64_t> fingerprint_;
};

/// Stands where a criterion needs no teacher.
struct no_guide {};

}  // namespace lnpt
