#pragma once
/// The door of train(): what a call must bring, on every engine. Misuse meets one sentence.
#include <concepts>
#include <type_traits>

#include <lnpt/core/guide.hpp>
#include <lnpt/loss/on_engine.hpp>
#include <lnpt/loss/weighted_sum.hpp>
#include <lnpt/train/batches.hpp>

namespace lnpt::detail {

template <class>
inline constexpr bool trains_in_float = false;
template <class Model>
  requires requires { typename tensor_of<Model>; }
inline constexpr bool trains_in_float<Model> = std::same_as<value_type<tensor_of<Model>>, float>;

template <class Loss, class Model>
inline constexpr bool is_whole_loss = false;
template <loss_like Loss, class Model>
inline constexpr bool is_whole_loss<Loss, Model> = loss_for<Loss, loss_tensor_for<tensor_of<Model>>>;

/// Fails to compile with one sentence where `Model` cannot be trained on `Data` with this guide and loss. Data that are no set of images,
/// such as a loader's batches, say themselves whether they carry labels.
template <class Model, class Data, class Guide, class Loss>
constexpr void require_trainable() {
  if constexpr (std::is_const_v<Model>) {
    static_assert(!std::is_const_v<Model>,
                  "lnpt: this model is const, and training changes its weights. Pass a model that is not const.");
  } else if constexpr (!trains_in_float<Model>) {
    static_assert(
        trains_in_float<Model>,
        "lnpt: training computes in float, and this model holds another type. Build the network on cpu::backend<float>, or "
        "the torch_model on float parameters.");
  } else if constexpr (!is_whole_loss<Loss, Model>) {
    static_assert(is_whole_loss<Loss, Model>,
                  "lnpt: this is not a loss. A loss has `static constexpr loss_needs needs`, value() and cotangent(), such as "
                  "lnpt::cross_entropy or pseudo_label{} + 0.5 * feature_mse{}.");
  } else {
    static_assert(
        !Loss::needs.teacher || !std::same_as<Guide, no_guide>,
        "lnpt: this loss compares against a teacher, and there is none. Pass teacher{model} or a teacher cache, or train "
        "on labels with cross_entropy.");
    static_assert(!Loss::needs.labels || !image_source<Data> || labelled_images<Data>,
                  "lnpt: this loss compares against labels, but the images carry none. Pass images with labels, or choose a "
                  "label-free loss such as pseudo_label with a teacher.");
  }
}

}  // namespace lnpt::detail
