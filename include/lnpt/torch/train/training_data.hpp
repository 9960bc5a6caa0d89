#pragma once
/// What training on LibTorch reads: images of bytes, augmented as they are drawn, or any data loader of LibTorch.
#include <concepts>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/loss/count_right.hpp>
#include <lnpt/torch/model.hpp>
#include <lnpt/train/lesson.hpp>

namespace lnpt {

/// A data loader of LibTorch whose batches are tensors (datasets are mapped with `Stack`), or what can be walked as one.
template <class L>
concept batch_loader = requires(L& loader) {
  { loader.begin() != loader.end() } -> std::convertible_to<bool>;
  { (*loader.begin()).data } -> std::convertible_to<at::Tensor>;
  { loader.options().batch_size } -> std::convertible_to<std::size_t>;
  { loader.options().drop_last } -> std::convertible_to<bool>;
};

/// The batches of a data loader over so many samples, as data to train or test on. Refers to the loader, which must outlive it.
///
///     auto loader = torch::data::make_data_loader<torch::data::samplers::RandomSampler>(std::move(dataset), 128);
///     train(student, masks, loader_batches(*loader, samples), loader_batches(*test_loader, test_samples), guide, loss, options);
///
/// Samples may have any shape. The loader decides on batches, order and augmentation. LibTorch's `RandomSampler` draws from the
/// generator that a checkpoint holds, so that a resumed run sees the order it would have seen.
template <class Loader>
class loader_batches {
 public:
  static_assert(batch_loader<Loader>,
                "lnpt: the batches of this loader are no tensors. Map its dataset with "
                "torch::data::transforms::Stack<>(), and pass *loader rather than the pointer.");

  /// `samples`: how many the dataset holds, that is dataset.size().value().
  loader_batches(Loader& loader, std::size_t samples) : loader_(loader), samples_(samples) {
    if (steps() == 0) fail("a data loader over ", samples, " samples gives no batch: choose a smaller batch");
  }

  [[nodiscard]] Loader& loader() const { return loader_; }

  /// How many batches an epoch has.
  [[nodiscard]] std::size_t steps() const {
    auto const& options = loader_.get().options();
    return options.drop_last ? samples_ / options.batch_size : (samples_ + options.batch_size - 1) / options.batch_size;
  }

 private:
  std::reference_wrapper<Loader> loader_;
  std::size_t samples_;
};

/// LibTorch's tensors in training: batches are written into pinned memory where the device is another, and no graph is kept of a
/// teacher's word.
template <>
struct training_traits<torch_tensor<float>> {
  static constexpr std::size_t loss_every = 50;

  template <image_source Images>
  [[nodiscard]] static Images const& store(Images const& images, torch_tensor<float> const&) {
    return images;
  }
  template <image_source Images>
  [[nodiscard]] static torch_tensor<float> batch(Images const& images, batch_plan const& plan, torch_tensor<float> const& near) {
    auto const device = near.get().device();
    auto const extent = [](std::size_t n) { return static_cast<std::int64_t>(n); };
    auto const host = detail::staging_for(
        device, {extent(plan.images.size()), extent(images.channels), extent(images.height), extent(images.width)}, at::kFloat);
    write_images(images, plan, std::span(host.template data_ptr<float>(), static_cast<std::size_t>(host.numel())));
    return host.to(device, /*non_blocking=*/true);
  }
  [[nodiscard]] static at::NoGradGuard without_gradients() { return {}; }
};

namespace detail {

template <class Loader>
[[nodiscard]] std::size_t steps_of(loader_batches<Loader> const& data, train_options const&) {
  return data.steps();
}

/// Calls `learn(step, lesson)` for every batch of a loader, which decides on order and augmentation.
template <loss_needs Needs, class Loader, class Guide, class Learn>
void for_each_lesson(loader_batches<Loader> const& data, at::Device device, Guide const& guide, Learn learn) {
  static_assert(!plans_views<Guide>,
                "lnpt: this guide speaks of known views of known images, which a data loader does not name. "
                "Train on the images themselves, or guide by a live teacher{model}.");
  std::size_t step = 0;
  for (auto const& drawn : data.loader()) {
    if (step == data.steps())
      fail("the data loader gives more than the ", data.steps(), " batches of its samples: pass the size of its dataset");
    lesson<torch_tensor<float>> batch{drawn.data.to(device, at::kFloat, /*non_blocking=*/true)};
    if constexpr (Needs.labels) batch.labels = class_ids(drawn.target);
    if constexpr (Needs.teacher) {
      at::NoGradGuard const plain;
      batch.teacher_prediction = guide.predict(batch.input);
    }
    learn(step++, batch);
  }
  if (step < data.steps())
    fail("the data loader gave ", step, " batches where its samples make ", data.steps(), ": pass the size of its dataset");
}

}  // namespace detail

/// The fraction of a loader's samples whose label the model decides for, in eval mode.
template <std::floating_point Scalar, class Loader>
[[nodiscard]] double accuracy(torch_model<Scalar>& model, loader_batches<Loader> const& data) {
  auto const device = model.near().get().device();
  std::size_t right = 0, total = 0;
  for (auto const& drawn : data.loader()) {
    torch_tensor<Scalar> const input(drawn.data.to(device, torch_tensor<Scalar>::scalar_type));
    auto const labels = detail::class_ids(drawn.target);
    right += count_right(model.predict(input, {norm_mode::eval}).output, labels, total);
    total += labels.size();
  }
  return total == 0 ? 0.0 : static_cast<double>(right) / static_cast<double>(total);
}

}  // namespace lnpt
