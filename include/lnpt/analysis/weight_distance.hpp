#pragma once
/// How far two networks of one shape are apart in their weights.
#include <algorithm>
#include <cstddef>
#include <iterator>
#include <limits>
#include <optional>
#include <span>
#include <utility>

#include <lnpt/core/error.hpp>
#include <lnpt/core/model.hpp>
#include <lnpt/loss/functions.hpp>

namespace lnpt {

/// What leads from one model's prunable weights to another's, an entry per parameter of the first.
///
///     d = θ_to − θ_from                                              Xiao et al. 2024, arXiv:2403.12690, eq. (1)
///
/// A weight that a mask pruned counts as the 0 that it is. Nothing where the models' weights differ in number or shape: there is then no d.
template <prunable From, prunable To>
  requires std::same_as<tensor_of<From>, tensor_of<To>>
[[nodiscard]] std::optional<gradients<tensor_of<From>>> weight_difference(From& from, To& to) {
  using T = tensor_of<From>;
  auto const here = from.parameters();
  auto const there = to.parameters();
  if (std::ranges::distance(here) != std::ranges::distance(there)) return std::nullopt;
  gradients<T> difference;
  auto other = std::ranges::begin(there);
  for (auto const& p : here) {
    auto const& q = *other++;
    difference.emplace_back();
    if (!is_prunable(p.role)) continue;
    if (shape_of(*p.value) != shape_of(*q.value)) return std::nullopt;
    difference.back() = T(*q.value + -1.0 * *p.value);
  }
  return difference;
}

/// The squared length of what `weight_difference` gives, summed over its entries.
template <tensor T>
[[nodiscard]] double squared_length(gradients<T> const& direction) {
  double sum = 0;
  for (auto const& each : direction) {
    if (!each) continue;
    T const squares = *each * *each;
    if constexpr (loss_tensor<T>) {
      sum += total(squares);
    } else {
      for (auto const value : values_of(squares)) sum += static_cast<double>(value);
    }
  }
  return sum;
}

/// dᵀd between two models' prunable weights: of teacher and student what Fig. 3 of the paper plots, of a student and itself before
/// training how far it has moved. Nothing where their shapes differ.
template <prunable From, prunable To>
[[nodiscard]] std::optional<double> squared_distance(From& from, To& to) {
  auto const difference = weight_difference(from, to);
  if (!difference) return std::nullopt;
  return squared_length<tensor_of<From>>(*difference);
}

/// Weight escape: the largest growth of dᵀd over its first value at a time when the learning gap is below *its* first value, as a
/// fraction of that first distance; 0 where no weight escapes.
///
///     max_e dᵀd(e) / dᵀd(0) − 1  over  { e : ℓ(e) < ℓ(0) }           Xiao et al. 2024, arXiv:2403.12690, Section III and Fig. 3
///
/// One value of each series per epoch, the first from before training. Throws where they are of different length or empty.
[[nodiscard]] inline double weight_escape(std::span<double const> distances, std::span<double const> gaps) {
  if (distances.size() != gaps.size() || distances.empty())
    fail("weight escape compares epochs, and there are ", distances.size(), " distances and ", gaps.size(),
         " gaps: pass one of each per epoch");
  double largest = 0;
  for (std::size_t e = 0; e < gaps.size(); ++e)
    if (gaps[e] < gaps.front()) largest = std::max(largest, distances[e] / distances.front() - 1);
  return largest;
}

}  // namespace lnpt
