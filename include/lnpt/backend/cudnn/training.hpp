#pragma once
/// Training on the device: images lie there as bytes or are sent by batches; parameters, velocities and masks stay.
#include <lnpt/backend/cudnn/backend.hpp>
#include <lnpt/backend/cudnn/image_store.hpp>
#include <lnpt/train/traits.hpp>

template <>
struct lnpt::training_traits<lnpt::cudnn::array<float>> {
  using array = lnpt::cudnn::array<float>;
  using backend = lnpt::cudnn::backend<float>;
  static constexpr std::size_t loss_every = 50;  // each look waits for the device

  template <image_source Images>
  [[nodiscard]] static lnpt::cudnn::image_store<Images> store(Images const& images, array const&) {
    return lnpt::cudnn::image_store<Images>(images);
  }
  template <image_source Images>
  [[nodiscard]] static array batch(lnpt::cudnn::image_store<Images> const& images, batch_plan const& plan, array const&) {
    return images.batch(plan);
  }
  [[nodiscard]] static auto without_gradients() { return training_traits<lnpt::cpu::array<float>>::without_gradients(); }
};
