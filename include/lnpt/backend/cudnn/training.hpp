#pragma once
/// Training on the device: batches are made on the host and sent; parameters, velocities and masks stay.
#include <lnpt/backend/cudnn/backend.hpp>
#include <lnpt/train/traits.hpp>

template <>
struct lnpt::training_traits<lnpt::cudnn::array<float>> {
  using array = lnpt::cudnn::array<float>;
  using backend = lnpt::cudnn::backend<float>;
  using host = lnpt::training_traits<lnpt::cpu::array<float>>;
  static constexpr std::size_t loss_every = 50;  // each look waits for the device

  template <image_source Images>
  [[nodiscard]] static Images const& store(Images const& images, array const&) {
    return images;
  }
  template <image_source Images>
  [[nodiscard]] static array batch(Images const& images, batch_plan const& plan, array const& near) {
    auto const written = host::batch(images, plan, {});
    return make_tensor<array>(shape_of(written), {written.data(), written.size()}, near);
  }
  [[nodiscard]] static auto without_gradients() { return host::without_gradients(); }
};
