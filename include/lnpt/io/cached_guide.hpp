#pragma once
/// A teacher that is not here: what it said once, read back while a student trains.
#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include <lnpt/backend/cpu/array.hpp>
#include <lnpt/core/error.hpp>
#include <lnpt/core/model.hpp>
#include <lnpt/io/number_text.hpp>
#include <lnpt/io/pixel_digest.hpp>
#include <lnpt/io/teacher_cache.hpp>
#include <lnpt/train/batches.hpp>

namespace lnpt::io {

/// A guide for `train` over a teacher cache, which it looks at while it lives. It dictates the views: epoch e shows each image in view
/// e mod V, as the teacher saw it; with V = 0, as it is.
class cached_guide {
 public:
  /// Refuses a cache that was made for other images, or for training with augmentation where it holds none, and the other way round.
  cached_guide(teacher_cache const& cache, std::size_t images, bool augment) : cache_(&cache) {
    if (cache.images() != images)
      fail_request("the teacher cache holds ", cache.images(), " images and the training set ", images,
                   ": train on the images it was made for");
    if (augment && cache.views() == 0)
      fail_request("the teacher cache holds no augmented views: train without augmentation, or write it with at least one view");
    if (!augment && cache.views() != 0)
      fail_request("the teacher cache holds ", cache.views(),
                   " augmented views of each image: train with augmentation, or write it with 0 views");
  }

  /// As above for these images; refuses them, too, where the teacher saw others: in size, in normalisation, or in a byte or their order
  /// where they are bytes. A cache of version 1 does not say.
  template <image_source Images>
  cached_guide(teacher_cache const& cache, Images const& images, bool augment) : cached_guide(cache, images.size(), augment) {
    auto const here = form_of(images);
    auto const& seen = cache.about().form;
    if (seen && *seen != here)
      fail_request("the teacher cache is of images of ", text_of(*seen), ", and the training set is of ", text_of(here),
                   ": normalise it as the teacher's images were, or write the cache again");
    if constexpr (requires { pixel_digest(images.pixels); })
      if (auto const& digest = cache.about().pixels; digest && *digest != pixel_digest(images.pixels))
        fail_request(
            "the teacher cache is of other images, or of these in another order: train on those that it was made for, or "
            "write it again");
  }

  [[nodiscard]] augmentation plan(std::size_t epoch, std::size_t image) const {
    return cache_->views() == 0 ? no_augmentation() : cache_->entry(image, view(epoch)).how;
  }

  [[nodiscard]] prediction<cpu::array<float>> predict(cpu::array<float> const&, batch_plan const& plan, std::size_t epoch) const {
    auto const batch = plan.images.size();
    prediction<cpu::array<float>> predicted{cpu::uninitialized<float>({batch, cache_->output_size()}),
                                            cpu::uninitialized<float>({batch, cache_->feature_size()})};
    for (std::size_t b = 0; b != batch; ++b) {
      auto const entry = cache_->entry(plan.images[b], view(epoch));
      std::ranges::copy(entry.output, predicted.output.data() + b * cache_->output_size());
      std::ranges::copy(entry.features, predicted.features->data() + b * cache_->feature_size());
    }
    return predicted;
  }

 private:
  [[nodiscard]] static std::string text_of(image_form const& form) {
    return list(form.extents) + " with the means " + digits(form.mean) + " and deviations " + digits(form.stddev);
  }
  /// All digits that tell them apart.
  [[nodiscard]] static std::string digits(std::vector<float> const& numbers) {
    std::string text;
    for (auto const n : numbers) text += (text.empty() ? "[" : ", ") + shortest_text(n);
    return text + ']';
  }
  [[nodiscard]] std::size_t view(std::size_t epoch) const { return cache_->views() == 0 ? 0 : epoch % cache_->views(); }

  teacher_cache const* cache_;
};

}  // namespace lnpt::io
