#pragma once
/// Batches. An unlabelled batch has no label member, so a pipeline that reads one does not compile.
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

#include <lnpt/core/tensor.hpp>

namespace lnpt {

/// Samples without labels; the first axis of `input` counts them.
template <tensor T>
struct unlabelled_batch {
  T input;
};
template <class T>
unlabelled_batch(T) -> unlabelled_batch<T>;

/// Samples with one class id each.
template <tensor T>
struct labelled_batch {
  T input;
  std::vector<std::int64_t> labels;
};
template <class T>
labelled_batch(T, std::vector<std::int64_t>) -> labelled_batch<T>;

template <class B>
concept batch_like = requires(B const& b) { b.input; } && tensor<std::remove_cvref_t<decltype(std::declval<B const&>().input)>>;

template <class B>
concept labelled = batch_like<B> && requires(B const& b) {
  { b.labels } -> std::convertible_to<std::vector<std::int64_t> const&>;
};

/// How many samples a batch holds.
[[nodiscard]] std::size_t sample_count(batch_like auto const& batch) { return shape_of(batch.input).at(0); }

}  // namespace lnpt
