#pragma once
/// From the numbers of a file to those of the program.
#include <concepts>
#include <cstddef>
#include <cstring>
#include <span>
#include <type_traits>
#include <utility>

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

}  // namespace lnpt::io::detail
