#pragma once
/// From the numbers of a file to those of the program, and back.
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>

namespace lnpt::io::detail {

/// Whether every value of `From` has a place in `To`: any number in a floating type (rounded), else an integer without loss.
template <class From, class To>
concept convertible_values = std::floating_point<To> || (std::integral<To> && std::integral<From> && sizeof(From) <= sizeof(To));

/// Values stored as `From`, at any alignment, to `To`; the index of the first that has no place there, or the count.
template <class From, class To>
[[nodiscard]] std::size_t convert_values(std::byte const* from, std::span<To> to) {
  for (std::size_t i = 0; i != to.size(); ++i) {
    From value;
    std::memcpy(&value, from + i * sizeof(From), sizeof(From));
    if constexpr (std::integral<From> && std::integral<To>) {
      if (!std::in_range<To>(value)) return i;
      to[i] = static_cast<To>(value);  // NOLINT(bugprone-signed-char-misuse): a number, not a character
    } else if constexpr (std::is_class_v<From>) {
      to[i] = static_cast<To>(static_cast<float>(value));
    } else {
      to[i] = static_cast<To>(value);
    }
  }
  return to.size();
}

/// The values as `To`, rounded to the nearest; refuses what would become infinite. `name`: of the tensor.
template <std::floating_point To, class Values>
[[nodiscard]] std::vector<To> in_range_of(std::string const& name, Values const& values) {
  std::vector<To> found;
  found.reserve(values.size());
  for (auto const v : values) {
    auto const stored = static_cast<To>(v);
    if (std::isfinite(v) != std::isfinite(stored))
      fail(name, " holds ", v,
           ", which is beyond the range of the numbers that this file stores: write it in double, or scale the weights");
    found.push_back(stored);
  }
  return found;
}

/// Values as numbers of the stored floating type, rounded to the nearest; false where one has no finite place there.
template <class Stored, std::floating_point From>
[[nodiscard]] bool store_values(std::span<From const> from, std::byte* to) {
  auto finite = true;
  for (std::size_t i = 0; i != from.size(); ++i) {
    Stored stored{};
    if constexpr (std::is_class_v<Stored>) {
      stored = Stored::nearest(static_cast<float>(from[i]));
      finite = finite && std::isfinite(static_cast<float>(stored));
    } else {
      stored = static_cast<Stored>(from[i]);
      finite = finite && std::isfinite(stored);
    }
    std::memcpy(to + i * sizeof(Stored), &stored, sizeof(Stored));
  }
  return finite;
}

}  // namespace lnpt::io::detail
