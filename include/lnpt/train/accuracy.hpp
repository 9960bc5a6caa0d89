#pragma once
/// How often a model is right.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <lnpt/core/model.hpp>
#include <lnpt/core/model_access.hpp>
#include <lnpt/loss/count_right.hpp>
#include <lnpt/train/batches.hpp>

namespace lnpt {

inline constexpr std::size_t evaluation_batch = 250;

namespace detail {

/// Calls `use(plan, logits)` for all images in batches, in their order and in eval mode.
template <differentiable Model, image_source Images, class Use>
void for_each_logits(Model& model, Images const& images, Use use) {
  using T = tensor_of<Model>;
  for (std::size_t begin = 0; begin < images.size(); begin += evaluation_batch) {
    batch_plan plan;
    for (auto i = begin; i < std::min(begin + evaluation_batch, images.size()); ++i) plan.images.push_back(i);
    auto const input = convert<T>(gather_images<value_type<T>>(images, plan), tensor_near(model));
    use(plan, prediction_without_trace(model, input, normalization{norm_mode::eval}).output);
  }
}

}  // namespace detail

/// The class a model decides for on every image, in eval mode.
template <differentiable Model, image_source Images>
[[nodiscard]] std::vector<std::int64_t> decisions(Model& model, Images const& images) {
  std::vector<std::int64_t> result;
  detail::for_each_logits(model, images, [&](batch_plan const&, auto const& logits) {
    auto const here = decided_classes(logits);
    result.insert(result.end(), here.begin(), here.end());
  });
  return result;
}

/// The fraction of images whose label the model decides for. Refuses images without labels, and labels of classes that the model does not
/// tell apart.
template <differentiable Model, labelled_images Images>
[[nodiscard]] double accuracy(Model& model, Images const& images) {
  detail::require_labels(images);
  std::size_t right = 0;
  detail::for_each_logits(model, images, [&](batch_plan const& plan, auto const& logits) {
    right += count_right(logits, gather_labels(images, plan.images), plan.images.front());
  });
  return images.size() == 0 ? 0.0 : static_cast<double>(right) / static_cast<double>(images.size());
}

}  // namespace lnpt
