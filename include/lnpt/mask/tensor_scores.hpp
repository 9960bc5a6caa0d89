#pragma once
/// Scores that are tensors of an engine, as mask strategies see them.
#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <lnpt/core/tensor.hpp>
#include <lnpt/mask/scores.hpp>

namespace lnpt {

/// One part of a ranking of tensors: what `tensor_traits<T>::keep_largest` gets.
template <class T>
struct ranked_tensor {
  T const* scores;
  std::span<mask::word> kept;         ///< written: which scores stay
  std::span<mask::word const> among;  ///< only these take part; empty: all
};

/// Tensor types that rank scores where they are:
///
///     static ranking_outcome keep_largest(std::span<ranked_tensor<T> const>, std::size_t n, keep_end);
///
/// keeps the n best as `lnpt::keep_largest` (mask/select.hpp) does, to the bit. It stands in `tensor_traits`, so that every unit that
/// knows the type ranks alike.
template <class T>
concept ranks_in_place = tensor<T> && requires(std::span<ranked_tensor<T> const> parts) {
  { tensor_traits<T>::keep_largest(parts, std::size_t{}, keep_end::highest) } -> std::same_as<ranking_outcome>;
};

namespace detail {

template <tensor T>
class tensor_scores : public distant_scores<value_type<T>> {
 public:
  using number = value_type<T>;

  explicit tensor_scores(T const& values) : values_(&values) {}

  [[nodiscard]] std::size_t size() const override { return size_of(*values_); }
  void copy_to(std::span<number> host) const override { tensor_traits<T>::copy_to(*values_, host); }
  [[nodiscard]] std::optional<ranking_outcome> keep_largest([[maybe_unused]] std::span<ranked_part<number> const> parts,
                                                            [[maybe_unused]] std::size_t n,
                                                            [[maybe_unused]] keep_end end) const override {
    if constexpr (ranks_in_place<T>) {
      std::vector<ranked_tensor<T>> tensors;
      for (auto const& part : parts) {
        auto const* const alike = dynamic_cast<tensor_scores const*>(part.scores.distant());
        if (alike == nullptr) return std::nullopt;
        tensors.push_back({alike->values_, part.kept, part.among});
      }
      return tensor_traits<T>::keep_largest(std::span<ranked_tensor<T> const>(tensors), n, end);
    } else {
      return std::nullopt;
    }
  }

 private:
  T const* values_;
};

}  // namespace detail

/// The values of a tensor as scores; a view, valid while the tensor lives.
template <tensor T>
[[nodiscard]] score_values<value_type<T>> scores_of(T const& values) {
  if constexpr (host_tensor<T>)
    return std::span<value_type<T> const>(tensor_traits<T>::view(values));
  else
    return score_values<value_type<T>>(std::make_shared<detail::tensor_scores<T>>(values));
}

}  // namespace lnpt
