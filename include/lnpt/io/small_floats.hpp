#pragma once
/// The number formats of 8 and 16 bits that safetensors files hold, widened to float without rounding and rounded from it.
#include <algorithm>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace lnpt::io {

/// What the codes at the end of a small format's range mean.
enum class special_codes {
  ieee,        ///< the highest exponent is infinity and NaN
  nan_only,    ///< all ones is NaN; there is no infinity ("fn")
  nan_as_zero  ///< the code of −0 is NaN; there is neither infinity nor −0, and the bias is one more ("fnuz")
};

/// A floating-point number of 1 + E + M bits, as stored.
///
///     e > 0:  ± (1 + m / 2^M) · 2^(e − bias),   e = 0:  ± m / 2^M · 2^(1 − bias),   bias = 2^(E−1) − 1, one more for fnuz
///
/// IEEE 754 (binary16); Micikevicius et al., "FP8 Formats for Deep Learning", 2022 (E4M3, E5M2); Noune et al., "8-bit Numerical
/// Formats for Deep Neural Networks", 2022 (fnuz).
template <int E, int M, special_codes Codes>
struct small_float {
  using storage = std::conditional_t<(1 + E + M > 8), std::uint16_t, std::uint8_t>;
  storage bits;

  [[nodiscard]] explicit operator float() const {
    constexpr std::uint32_t exponents = (1u << E) - 1;
    constexpr std::uint32_t mantissas = (1u << M) - 1;
    constexpr std::uint32_t sign_bit = 1u << (E + M);
    constexpr int bias = (1 << (E - 1)) - (Codes == special_codes::nan_as_zero ? 0 : 1);
    auto const exponent = (std::uint32_t{bits} >> M) & exponents;
    auto const mantissa = std::uint32_t{bits} & mantissas;
    auto const negative = (bits & sign_bit) != 0;
    if constexpr (Codes == special_codes::nan_as_zero) {
      if (bits == sign_bit) return std::numeric_limits<float>::quiet_NaN();
    } else if constexpr (Codes == special_codes::nan_only) {
      if (exponent == exponents && mantissa == mantissas) return signed_as(std::numeric_limits<float>::quiet_NaN(), negative);
    } else if (exponent == exponents) {
      auto const special = mantissa == 0 ? std::numeric_limits<float>::infinity() : std::numeric_limits<float>::quiet_NaN();
      return signed_as(special, negative);
    }
    auto const digits = exponent == 0 ? mantissa : mantissa | (mantissas + 1);
    auto const scale = static_cast<int>(exponent == 0 ? 1 : exponent) - bias - M;  // ≥ −24: a normal float
    return signed_as(static_cast<float>(digits) * std::bit_cast<float>(static_cast<std::uint32_t>(127 + scale) << 23), negative);
  }

  /// The nearest number of this format, ties to even; infinity where that is out of range.
  [[nodiscard]] static small_float nearest(float value)
    requires(Codes == special_codes::ieee)
  {
    constexpr int bias = (1 << (E - 1)) - 1;
    constexpr std::uint32_t infinity = ((1u << E) - 1) << M;
    constexpr std::uint32_t sign_bit = 1u << (E + M);
    auto const sign = std::signbit(value) ? sign_bit : 0;
    auto const magnitude = std::abs(value);
    if (std::isnan(value)) return {static_cast<storage>(sign | infinity | 1u << (M - 1))};
    if (std::isinf(value)) return {static_cast<storage>(sign | infinity)};
    auto const exponent = magnitude == 0 ? 1 - bias : std::max(std::ilogb(magnitude), 1 - bias);
    if (exponent > bias) return {static_cast<storage>(sign | infinity)};
    auto const digits = static_cast<std::uint32_t>(std::nearbyint(std::scalbn(magnitude, M - exponent)));
    // A mantissa that rounds up to the next power of two carries into the exponent, and past the last one to infinity.
    return {static_cast<storage>(sign | ((static_cast<std::uint32_t>(exponent + bias - 1) << M) + digits))};
  }

 private:
  [[nodiscard]] static float signed_as(float magnitude, bool negative) { return negative ? -magnitude : magnitude; }
};

using half = small_float<5, 10, special_codes::ieee>;
using float8_e5m2 = small_float<5, 2, special_codes::ieee>;
using float8_e4m3 = small_float<4, 3, special_codes::nan_only>;
using float8_e5m2fnuz = small_float<5, 2, special_codes::nan_as_zero>;
using float8_e4m3fnuz = small_float<4, 3, special_codes::nan_as_zero>;

/// A bfloat16 number, as stored: the upper half of a float.
struct bfloat16 {
  std::uint16_t bits;
  [[nodiscard]] explicit operator float() const { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }

  /// The nearest bfloat16 number, ties to even; infinity where that is out of range.
  [[nodiscard]] static bfloat16 nearest(float value) {
    auto const whole = std::bit_cast<std::uint32_t>(value);
    if (std::isnan(value)) return {static_cast<std::uint16_t>(whole >> 16 | 0x40)};
    return {static_cast<std::uint16_t>((whole + 0x7fff + (whole >> 16 & 1)) >> 16)};
  }
};

/// A power of two, 2^(code − 127), as scales of microscaling formats are stored; code 255 is NaN.
/// Open Compute Project, "OCP Microscaling Formats (MX) Specification", 2023.
struct float8_e8m0 {
  std::uint8_t bits;
  [[nodiscard]] explicit operator float() const {
    return bits == 0xff ? std::numeric_limits<float>::quiet_NaN() : std::ldexp(1.0f, int{bits} - 127);
  }
};

}  // namespace lnpt::io
