#pragma once
/// The element types of a safetensors file, and how their values are read.
#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <type_traits>

#include <lnpt/io/small_floats.hpp>

namespace lnpt::io {

/// The element types of version 0.8.0 of the format's reference implementation, in its order: writers put the last of these first, so
/// that wide elements stay aligned.
enum class dtype : std::uint8_t {
  boolean,
  f4,
  f6_e2m3,
  f6_e3m2,
  u8,
  i8,
  f8_e5m2,
  f8_e4m3,
  f8_e8m0,
  f8_e4m3fnuz,
  f8_e5m2fnuz,
  i16,
  u16,
  f16,
  bf16,
  i32,
  u32,
  f32,
  c64,
  f64,
  i64,
  u64
};

namespace detail {
struct dtype_fact {
  std::string_view name;
  unsigned bits;
};
inline constexpr std::array<dtype_fact, 22> dtype_facts{{
    {"BOOL", 8},    {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6},     {"U8", 8},          {"I8", 8},
    {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"I16", 16},
    {"U16", 16},    {"F16", 16},    {"BF16", 16},   {"I32", 32},        {"U32", 32},        {"F32", 32},
    {"C64", 64},    {"F64", 64},    {"I64", 64},    {"U64", 64},
}};
}  // namespace detail

/// The name in the file's header.
[[nodiscard]] constexpr std::string_view name_of(dtype type) { return detail::dtype_facts[static_cast<std::size_t>(type)].name; }

/// Bits per element; 4 and 6 for the packed types.
[[nodiscard]] constexpr unsigned bits_of(dtype type) { return detail::dtype_facts[static_cast<std::size_t>(type)].bits; }

/// Whether values are real floating-point numbers.
[[nodiscard]] constexpr bool is_floating(dtype type) { return name_of(type).front() == 'F' || type == dtype::bf16; }

/// The type of this name, or nothing.
[[nodiscard]] constexpr std::optional<dtype> dtype_named(std::string_view name) {
  auto const* const found = std::ranges::find(detail::dtype_facts, name, &detail::dtype_fact::name);
  if (found == detail::dtype_facts.end()) return std::nullopt;
  return static_cast<dtype>(found - detail::dtype_facts.begin());
}

namespace detail {
template <class T>
struct tag {
  using type = T;
};

/// Calls `use(tag<T>{})` for the C++ type that holds this dtype; false where there is none (F4, F6 and C64).
template <class Use>
bool with_stored_type(dtype type, Use&& use) {
  switch (type) {
    case dtype::boolean:
    case dtype::u8: return use(tag<std::uint8_t>{}), true;
    case dtype::i8: return use(tag<std::int8_t>{}), true;
    case dtype::i16: return use(tag<std::int16_t>{}), true;
    case dtype::u16: return use(tag<std::uint16_t>{}), true;
    case dtype::f16: return use(tag<half>{}), true;
    case dtype::bf16: return use(tag<bfloat16>{}), true;
    case dtype::f8_e5m2: return use(tag<float8_e5m2>{}), true;
    case dtype::f8_e4m3: return use(tag<float8_e4m3>{}), true;
    case dtype::f8_e8m0: return use(tag<float8_e8m0>{}), true;
    case dtype::f8_e4m3fnuz: return use(tag<float8_e4m3fnuz>{}), true;
    case dtype::f8_e5m2fnuz: return use(tag<float8_e5m2fnuz>{}), true;
    case dtype::i32: return use(tag<std::int32_t>{}), true;
    case dtype::u32: return use(tag<std::uint32_t>{}), true;
    case dtype::f32: return use(tag<float>{}), true;
    case dtype::f64: return use(tag<double>{}), true;
    case dtype::i64: return use(tag<std::int64_t>{}), true;
    case dtype::u64: return use(tag<std::uint64_t>{}), true;
    default: return false;
  }
}
}  // namespace detail

/// A C++ type whose values can be read and written as they are.
template <class T>
concept storable = std::same_as<T, float> || std::same_as<T, double> || std::same_as<T, bool> ||
                   (std::integral<T> && !std::same_as<T, char> && sizeof(T) <= 8);

/// The dtype of a C++ type: F32, F64, BOOL or the integer of its width and sign.
template <storable T>
[[nodiscard]] constexpr dtype dtype_of() {
  if constexpr (std::same_as<T, bool>)
    return dtype::boolean;
  else if constexpr (std::same_as<T, float>)
    return dtype::f32;
  else if constexpr (std::same_as<T, double>)
    return dtype::f64;
  else {
    constexpr auto sign = std::is_signed_v<T>;
    switch (sizeof(T)) {
      case 1: return sign ? dtype::i8 : dtype::u8;
      case 2: return sign ? dtype::i16 : dtype::u16;
      case 4: return sign ? dtype::i32 : dtype::u32;
      default: return sign ? dtype::i64 : dtype::u64;
    }
  }
}

}  // namespace lnpt::io
