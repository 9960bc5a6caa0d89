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
#include <lnpt/torch/model.hpp>
#include <lnpt/train/train.hpp>

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

namespace detail {

/// What one step reads, on the student's device.
struct lesson_batch {
  torch_tensor<float> input;
  std::vector<std::int64_t> labels = {};                                   ///< where the loss reads them
  std::optional<prediction<torch_tensor<float>>> teacher_prediction = {};  ///< where it has a teacher
};

template <image_source Images>
[[nodiscard]] torch_tensor<float> images_on(at::Device device, Images const& images, batch_plan const& plan) {
  auto const extent = [](std::size_t n) { return static_cast<std::int64_t>(n); };
  auto const host = staging_for(
      device, {extent(plan.images.size()), extent(images.channels), extent(images.height), extent(images.width)}, at::kFloat);
  write_images(images, plan, std::span(host.template data_ptr<float>(), static_cast<std::size_t>(host.numel())));
  return host.to(device, /*non_blocking=*/true);
}

template <class Loader>
[[nodiscard]] std::size_t steps_of(loader_batches<Loader> const& data, train_options const&) {
  return data.steps();
}

/// Calls `learn(step, batch)` for every step of an epoch.
template <loss_needs Needs, image_source Images, class Guide, class Learn>
void for_each_batch(Images const& images, std::size_t epoch, Guide const& guide, train_options const& options, at::Device device,
                    Learn learn) {
  auto const order = shuffled(images.size(), options.seed, epoch);
  for (std::size_t step = 0; step < steps_of(images, options); ++step) {
    auto const plan = plan_batch(std::span(order).subspan(step * options.batch, options.batch), epoch, guide, options);
    lesson_batch batch{images_on(device, images, plan)};
    if constexpr (Needs.labels) batch.labels = gather_labels(images, plan.images);
    if constexpr (Needs.teacher) {
      at::NoGradGuard const plain;  // a guide may be anyone's
      batch.teacher_prediction = ask(guide, batch.input, plan, epoch);
    }
    learn(step, batch);
  }
}

template <loss_needs Needs, class Loader, class Guide, class Learn>
void for_each_batch(loader_batches<Loader> const& data, std::size_t, Guide const& guide, train_options const&, at::Device device,
                    Learn learn) {
  static_assert(!plans_views<Guide>,
                "lnpt: this guide speaks of known views of known images, which a data loader does not name. "
                "Train on the images themselves, or guide by a live teacher{model}.");
  std::size_t step = 0;
  for (auto const& drawn : data.loader()) {
    if (step == data.steps())
      fail("the data loader gives more than the ", data.steps(), " batches of its samples: pass the size of its dataset");
    lesson_batch batch{drawn.data.to(device, at::kFloat, /*non_blocking=*/true)};
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
    auto const predicted = tensor_traits<torch_tensor<Scalar>>::argmax(model.predict(input, {norm_mode::eval}).output);
    auto const labels = detail::class_ids(drawn.target);
    for (std::size_t b = 0; b < predicted.size(); ++b) right += predicted[b] == labels[b];
    total += predicted.size();
  }
  return total == 0 ? 0.0 : static_cast<double>(right) / static_cast<double>(total);
}

}  // namespace lnpt
