#pragma once
/// Whether two networks have the same parameters.
#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <ranges>

#include <lnpt/core/model.hpp>
#include <lnpt/core/model_access.hpp>
#include <lnpt/core/random.hpp>

namespace lnpt {

namespace detail {

/// 64 bits of a sequence of words: a chain of SplitMix's finaliser.
class word_digest {
 public:
  void take(std::uint64_t word) { bits_ = mix_bits((bits_ ^ word) + golden_gamma); }
  template <class T>
  void take_values(T const& tensor) {
    for (auto const v : values_of(tensor)) take(std::bit_cast<std::uint64_t>(static_cast<double>(v)));
  }
  [[nodiscard]] std::uint64_t bits() const { return bits_; }

 private:
  std::uint64_t bits_ = 0;
};

}  // namespace detail

/// A number that networks of the same parameters share, in whatever precision and on whatever engine they are held, and others almost surely do not.
/// Costs one read of the parameters.
template <prunable Model>
[[nodiscard]] std::uint64_t fingerprint_of(Model& model) {
  detail::word_digest print;
  for (auto const& p : model.parameters()) print.take_values(*p.value);
  return print.bits();
}

/// The same of the names, sizes and values of all parameters and buffers. Costs one read of both.
template <prunable Model>
[[nodiscard]] std::uint64_t fingerprint_of_state(Model& model) {
  detail::word_digest print;
  auto const take_all = [&](auto const& parts) {
    for (auto const& p : parts) {
      for (auto const letter : p.name) print.take(static_cast<unsigned char>(letter));
      print.take(size_of(*p.value));
      print.take_values(*p.value);
    }
  };
  take_all(model.parameters());
  take_all(buffers_of(model));
  return print.bits();
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
