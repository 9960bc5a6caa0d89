#pragma once
/// How often a model is right.
#include <algorithm>
#include <span>
#include <vector>

#include <lnpt/core/agreement.hpp>
#include <lnpt/core/model.hpp>
#include <lnpt/core/model_access.hpp>
#include <lnpt/loss/functions.hpp>
#include <lnpt/train/batches.hpp>

namespace lnpt {

inline constexpr std::size_t evaluation_batch = 250;

/// The class a model decides for on every image, in eval mode.
template <differentiable Model, image_source Images>
[[nodiscard]] std::vector<std::int64_t> decisions(Model& model, Images const& images) {
  using T = tensor_of<Model>;
  std::vector<std::int64_t> result;
  std::vector<std::size_t> all(images.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  for (std::size_t begin = 0; begin < all.size(); begin += evaluation_batch) {
    auto const part = std::span(all).subspan(begin, std::min(evaluation_batch, all.size() - begin));
    auto const gathered = gather_images<value_type<T>>(images, {{part.begin(), part.end()}, {}});
    auto const input = convert<T>(gathered, tensor_near(model));
    auto const here = decided_classes(prediction_without_trace(model, input, normalization{norm_mode::eval}).output);
    result.insert(result.end(), here.begin(), here.end());
  }
  return result;
}

/// The fraction of images whose label the model decides for. Refuses images without labels.
template <differentiable Model, labelled_images Images>
[[nodiscard]] double accuracy(Model& model, Images const& images) {
  detail::require_labels(images);
  auto const predicted = decisions(model, images);
  auto const right = count_agreeing(predicted, images.labels);
  return predicted.empty() ? 0.0 : static_cast<double>(right) / static_cast<double>(predicted.size());
}

}  // namespace lnpt
