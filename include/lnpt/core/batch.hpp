#pragma once
/// Batches. An unlabelled batch has no label member, so a pipeline that reads one does not compile.
#include <cstddef>
#include <cstdint>
#include <ranges>
#include <span>
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

namespace detail {

template <class Batches>
inline constexpr bool is_range_of_batches = std::ranges::contiguous_range<Batches> && !batch_like<Batches>;

/// Whether batches are one process's part of those of several (distributed/shard.hpp): what is asked of these all processes do together.
template <class Batches>
inline constexpr bool is_shard = false;

/// One batch as a range of one, a range of batches as it is.
template <class Batches>
[[nodiscard]] auto parts_of(Batches const& batches) {
  if constexpr (is_range_of_batches<Batches>)
    return std::span(std::ranges::data(batches), std::ranges::size(batches));
  else
    return std::span<Batches const>(&batches, 1);
}

}  // namespace detail

}  // namespace lnpt
