#pragma once
/// What an engine brings to training, by the type of its tensors.
#include <concepts>
#include <cstddef>

#include <lnpt/backend/cpu/backend.hpp>
#include <lnpt/train/batches.hpp>

namespace lnpt {

/// How models of tensor `T` are trained by the loop of train/loop.hpp. An engine specialises it:
///
///     static constexpr std::size_t loss_every;                  steps between looks at the loss: 1 where a look costs nothing
///     static …    store(Images const&, T const& near);          the images, kept where batches are made from them
///     static T    batch(store, batch_plan const&, T const& near);   the planned images, augmented and normalised
///     static …    without_gradients();                          a guard under which a teacher is asked
///     using backend = …;                                        whose `pack` and `sgd_step` the masked optimiser uses
template <class T>
struct training_traits;

/// A tensor type that is trained.
template <class T>
concept trainable_tensor = requires {
  { training_traits<T>::loss_every } -> std::convertible_to<std::size_t>;
};

template <>
struct training_traits<cpu::array<float>> {
  using backend = cpu::backend<float>;
  static constexpr std::size_t loss_every = 1;

  template <image_source Images>
  [[nodiscard]] static Images const& store(Images const& images, cpu::array<float> const&) {
    return images;  // NOLINT(bugprone-return-const-ref-from-parameter): the loop holds the images for as long as it runs
  }
  template <image_source Images>
  [[nodiscard]] static cpu::array<float> batch(Images const& images, batch_plan const& plan, cpu::array<float> const&) {
    return gather_images<float>(images, plan);
  }
  struct nothing {};
  [[nodiscard]] static nothing without_gradients() { return {}; }
};

}  // namespace lnpt
