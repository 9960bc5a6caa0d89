#pragma once
/// Whether two networks have the same parameters.
#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <ranges>

#include <lnpt/core/model.hpp>
#include <lnpt/core/random.hpp>

namespace lnpt {

/// A number that networks of the same parameters share, in whatever precision and on whatever engine they are held, and others almost surely do not.
/// Costs one read of the parameters.
template <prunable Model>
[[nodiscard]] std::uint64_t fingerprint_of(Model& model) {
  std::uint64_t print = 0;
  for (auto const& p : model.parameters())
    for (auto const v : values_of(*p.value))
      print = detail::mix_bits((print ^ std::bit_cast<std::uint64_t>(static_cast<double>(v))) + detail::golden_gamma);
  return print;
}

/// Whether two networks have the same parameters, in the same order. Costs little more than one read of the first that differs.
template <prunable First, prunable Second>
[[nodiscard]] bool have_same_weights(First& first, Second& second) {
  auto const ours = first.parameters();
  auto const theirs = second.parameters();
  if (std::ranges::distance(ours) != std::ranges::distance(theirs)) return false;
  for (auto other = std::ranges::begin(theirs); auto const& p : ours) {
    auto const& q = *other++;
    if (shape_of(*p.value) != shape_of(*q.value)) return false;
    if (!std::ranges::equal(values_of(*p.value), values_of(*q.value))) return false;
  }
  return true;
}

}  // namespace lnpt
