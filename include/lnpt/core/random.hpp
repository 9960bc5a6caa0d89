#pragma once
/// Random numbers by counter: a pure function of (seed, a, b, c), so that any draw can be made again, alone and in any order.
#include <cmath>
#include <cstdint>
#include <numbers>
#include <utility>

namespace lnpt {

namespace detail {
/// The finaliser of SplitMix64: a bijection in which every input bit moves about half of the output bits.
/// Steele, Lea, Flood, OOPSLA 2014 (variant 13 of Stafford's constants).
[[nodiscard]] constexpr std::uint64_t mix_bits(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}
inline constexpr std::uint64_t golden_gamma = 0x9e3779b97f4a7c15u;
}  // namespace detail

/// 64 random bits for the counter (a, b, c) of this seed; the same on every platform.
[[nodiscard]] constexpr std::uint64_t random_bits(std::uint64_t seed, std::uint64_t a, std::uint64_t b = 0, std::uint64_t c = 0) {
  auto state = detail::mix_bits(seed + detail::golden_gamma);
  for (auto const counter : {a, b, c}) state = detail::mix_bits((state ^ counter) + detail::golden_gamma);
  return state;
}

/// A number in [0, 1), a multiple of 2⁻⁵³.
[[nodiscard]] constexpr double uniform(std::uint64_t seed, std::uint64_t a, std::uint64_t b = 0, std::uint64_t c = 0) {
  return static_cast<double>(random_bits(seed, a, b, c) >> 11) * 0x1p-53;
}

/// An integer in [0, bound) for bits of `random_bits`; its bias is below bound / 2³².
[[nodiscard]] constexpr std::uint32_t random_below(std::uint32_t bound, std::uint64_t bits) {
  return static_cast<std::uint32_t>(((bits >> 32) * bound) >> 32);
}

/// −1 or +1 with equal probability.
[[nodiscard]] constexpr int rademacher(std::uint64_t seed, std::uint64_t a, std::uint64_t b = 0, std::uint64_t c = 0) {
  return (random_bits(seed, a, b, c) >> 63) != 0 ? 1 : -1;
}

/// Two independent standard normal numbers (Box and Muller, 1958). The last bit may differ between C libraries.
[[nodiscard]] inline std::pair<double, double> normal(std::uint64_t seed, std::uint64_t a, std::uint64_t b = 0,
                                                      std::uint64_t c = 0) {
  auto const bits = random_bits(seed, a, b, c);
  auto const radius = std::sqrt(-2.0 * std::log(1.0 - static_cast<double>(bits >> 11) * 0x1p-53));
  auto const angle = 2.0 * std::numbers::pi * static_cast<double>(detail::mix_bits(bits + detail::golden_gamma) >> 11) * 0x1p-53;
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

}  // namespace lnpt
