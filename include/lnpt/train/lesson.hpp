#pragma once
/// What one step of training reads, and the order in which an epoch does.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/core/guide.hpp>
#include <lnpt/loss/concept.hpp>
#include <lnpt/train/options.hpp>
#include <lnpt/train/traits.hpp>

namespace lnpt {

/// A teacher in training: `predict(input, plan)` for augmented images, and `plan(epoch, image)` where it dictates the views.
template <class G>
concept plans_views = requires(G const& guide, std::size_t epoch, std::size_t image) {
  { guide.plan(epoch, image) } -> std::convertible_to<augmentation>;
};

/// A batch with what the loss compares it against.
template <class T>
struct lesson {
  T input;
  std::vector<std::int64_t> labels = {};                 ///< where the loss reads them
  std::optional<prediction<T>> teacher_prediction = {};  ///< where the loss has a teacher

  template <class Loss>
  [[nodiscard]] lnpt::target<T> target() const {
    return {Loss::needs.labels ? &labels : nullptr, teacher_prediction ? &*teacher_prediction : nullptr};
  }
};

namespace detail {

/// Refuses steps that lead nowhere, before anything changes.
inline void require_steps(train_options const& options) {
  auto const is_rate = [](double rate) { return std::isfinite(rate) && rate >= 0; };
  if (!is_rate(options.learning_rate) || !is_rate(options.momentum) || !is_rate(options.weight_decay) || options.momentum >= 1)
    fail_request("a learning rate of ", options.learning_rate, ", a momentum of ", options.momentum, " and a weight decay of ",
                 options.weight_decay, ": pass finite numbers of at least 0, and a momentum below 1");
}

/// How many whole batches an epoch has.
template <image_source Images>
[[nodiscard]] std::size_t steps_of(Images const& images, train_options const& options) {
  if (options.batch == 0 || images.size() < options.batch)
    fail("a batch of ", options.batch, " cannot be drawn from ", images.size(), " images: choose a batch of 1 to ",
         images.size());
  return images.size() / options.batch;
}

/// Refuses, before anything changes, images without the labels that the loss reads or accuracy is measured with.
template <class Loss, class Images, class Test>
void require_labels_that_are_read(Images const& images, Test const& test) {
  if constexpr (Loss::needs.labels && labelled_images<Images>) require_labels(images);
  if constexpr (labelled_images<Test>) require_labels(test);
}

/// The next batch of an epoch and how its images are augmented.
template <class Guide>
[[nodiscard]] batch_plan plan_batch(std::span<std::size_t const> images, std::size_t epoch, Guide const& guide,
                                    train_options const& options) {
  batch_plan plan{{images.begin(), images.end()}, {}};
  for (auto const i : images) {
    if constexpr (plans_views<Guide>)
      plan.how.push_back(guide.plan(epoch, i));
    else
      plan.how.push_back(options.augment ? draw_augmentation(options.seed, i, epoch) : no_augmentation());
  }
  return plan;
}

template <class Guide, class T>
[[nodiscard]] prediction<T> ask(Guide const& guide, T const& input, [[maybe_unused]] batch_plan const& plan,
                                [[maybe_unused]] std::size_t epoch) {
  if constexpr (requires { guide.predict(input, plan, epoch); })
    return guide.predict(input, plan, epoch);
  else
    return guide.predict(input);
}

/// Which part of every batch is learnt from: part `rank` of `ranks`, as even as it goes.
struct batch_share {
  std::size_t rank = 0;
  std::size_t ranks = 1;

  [[nodiscard]] std::span<std::size_t const> of(std::span<std::size_t const> batch) const {
    auto const begin = batch.size() * rank / ranks;
    return batch.subspan(begin, batch.size() * (rank + 1) / ranks - begin);
  }
};

/// Calls `learn(step, lesson)` for every step of an epoch over images, in an order that is a function of (seed, epoch). `store` is what
/// `training_traits<T>` made of the images.
template <loss_needs Needs, class T, class Store, image_source Images, class Guide, class Learn>
void for_each_lesson(Store const& store, Images const& images, T const& near, std::size_t epoch, Guide const& guide,
                     train_options const& options, Learn learn, batch_share share = {}) {
  using traits = training_traits<T>;
  auto const order = shuffled(images.size(), options.seed, epoch);
  for (std::size_t step = 0; step < steps_of(images, options); ++step) {
    auto const plan = plan_batch(share.of(std::span(order).subspan(step * options.batch, options.batch)), epoch, guide, options);
    lesson<T> each{traits::batch(store, plan, near)};
    if constexpr (Needs.labels) each.labels = gather_labels(images, plan.images);
    if constexpr (Needs.teacher) {
      [[maybe_unused]] auto const plain = traits::without_gradients();  // a guide may be anyone's
      each.teacher_prediction = ask(guide, each.input, plan, epoch);
    }
    learn(step, each);
  }
}

}  // namespace detail
}  // namespace lnpt
