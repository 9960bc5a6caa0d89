#pragma once
/// The scores of stored weights as integers that sort as they do, without a copy of the weights in another type.
#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <lnpt/core/random.hpp>
#include <lnpt/io/dtype.hpp>

namespace lnpt::out_of_core {

/// The bits of a non-negative float: keys sort as the floats do, and ±0 have one key.
using key = std::uint32_t;

/// The key of infinity; NaN has larger keys, finite scores smaller ones.
inline constexpr key infinity_key = 0x7f800000u;

/// No key is larger.
inline constexpr key largest_key = 0x7fffffffu;

[[nodiscard]] inline key key_of(float score) { return std::bit_cast<key>(score) & largest_key; }

/// The 8-bit formats whose values are ranked: those with a sign.
[[nodiscard]] constexpr bool is_float8(io::dtype type) {
  using enum io::dtype;
  return type == f8_e5m2 || type == f8_e4m3 || type == f8_e5m2fnuz || type == f8_e4m3fnuz;
}

/// The dtypes whose weights are ranked: every value of theirs is a float.
[[nodiscard]] constexpr bool is_ranked(io::dtype type) {
  using enum io::dtype;
  return type == f32 || type == f16 || type == bf16 || is_float8(type);
}

namespace detail {

/// The keys of all codes of a type of 8 or 16 bits.
template <class Stored>
[[nodiscard]] std::span<key const> key_table() {
  static auto const table = [] {
    std::vector<key> keys(std::size_t{1} << (8 * sizeof(Stored)));
    for (std::size_t code = 0; code != keys.size(); ++code)
      keys[code] = key_of(static_cast<float>(Stored{static_cast<decltype(Stored::bits)>(code)}));
    return keys;
  }();
  return table;
}

/// The keys of 16-bit or 32-bit values, at any alignment.
template <class Word, class KeyOf>
void keys_of_words(std::span<std::byte const> stored, std::span<key> out, KeyOf key_of_word) {
  for (std::size_t i = 0; i != out.size(); ++i) {
    Word word;
    std::memcpy(&word, stored.data() + i * sizeof word, sizeof word);
    out[i] = key_of_word(word);
  }
}

}  // namespace detail

/// Factors of an 8-bit tensor: the weight at (r, c) of [rows, columns] is its stored value times the factor of its block.
struct block_scales {
  std::vector<float> factors = {};  ///< [⌈rows / block rows⌉, ⌈columns / block columns⌉]
  std::uint64_t columns = 1;        ///< of the weight
  std::uint64_t block_rows = 1, block_columns = 1;

  [[nodiscard]] float of(std::uint64_t index) const {
    auto const across = (columns + block_columns - 1) / block_columns;
    return factors[static_cast<std::size_t>(index / columns / block_rows * across + index % columns / block_columns)];
  }
};

/// Where the scores of one tensor come from.
///
///     magnitude   |θ|, or |θ| · scale in float where an 8-bit tensor has scales
///     random      U(0, 1) of (seed, place of the tensor among those pruned, index), as `lnpt::random` draws it for a float model
class score_source {
 public:
  [[nodiscard]] static score_source magnitude(io::dtype type, std::shared_ptr<block_scales const> scales = nullptr) {
    score_source source;
    source.type_ = type;
    source.scales_ = std::move(scales);
    return source;
  }
  [[nodiscard]] static score_source random(std::uint64_t seed, std::uint64_t tensor) {
    score_source source;
    source.draw_ = std::pair(seed, tensor);
    return source;
  }

  /// Whether keys are of the stored bytes.
  [[nodiscard]] bool reads() const { return !draw_; }
  /// Whether the stored bits without their sign sort as the keys do, and 0 has no others.
  [[nodiscard]] bool is_coded() const { return reads() && !scales_; }
  /// Rows and columns that share a scale; 0 where nothing is scaled.
  [[nodiscard]] std::array<std::uint64_t, 2> scale_block() const {
    return scales_ ? std::array<std::uint64_t, 2>{scales_->block_rows, scales_->block_columns} : std::array<std::uint64_t, 2>{};
  }
  /// Whether so few codes exist that one reading counts them all.
  [[nodiscard]] bool is_narrow() const { return is_coded() && type_ != io::dtype::f32; }
  /// Whether the code of −0 means NaN.
  [[nodiscard]] bool has_unsigned_nan() const {
    return is_coded() && (type_ == io::dtype::f8_e5m2fnuz || type_ == io::dtype::f8_e4m3fnuz);
  }
  /// Of coded scores: those of one type have the same keys for the same codes.
  [[nodiscard]] io::dtype type() const { return type_; }

  /// The keys of weights `first`, `first + 1` …, whose bytes are `stored`.
  void keys(std::uint64_t first, std::span<std::byte const> stored, std::span<key> out) const {
    if (draw_) {
      for (std::size_t i = 0; i != out.size(); ++i)
        out[i] = key_of(static_cast<float>(lnpt::uniform(draw_->first, draw_->second, first + i)));
      return;
    }
    switch (type_) {
      case io::dtype::f32: return detail::keys_of_words<key>(stored, out, [](key bits) { return bits & largest_key; });
      case io::dtype::bf16:
        return detail::keys_of_words<std::uint16_t>(stored, out, [](std::uint16_t bits) { return key{bits & 0x7fffu} << 16; });
      case io::dtype::f16: return from_table<std::uint16_t>(detail::key_table<io::half>(), stored, out);
      case io::dtype::f8_e5m2: return small_keys(detail::key_table<io::float8_e5m2>(), first, stored, out);
      case io::dtype::f8_e4m3: return small_keys(detail::key_table<io::float8_e4m3>(), first, stored, out);
      case io::dtype::f8_e5m2fnuz: return small_keys(detail::key_table<io::float8_e5m2fnuz>(), first, stored, out);
      default: return small_keys(detail::key_table<io::float8_e4m3fnuz>(), first, stored, out);
    }
  }

 private:
  score_source() = default;

  template <class Word>
  static void from_table(std::span<key const> table, std::span<std::byte const> stored, std::span<key> out) {
    detail::keys_of_words<Word>(stored, out, [table](Word code) { return table[code]; });
  }

  void small_keys(std::span<key const> table, std::uint64_t first, std::span<std::byte const> stored, std::span<key> out) const {
    from_table<std::uint8_t>(table, stored, out);
    if (!scales_) return;
    for (std::size_t i = 0; i != out.size(); ++i) out[i] = key_of(std::bit_cast<float>(out[i]) * scales_->of(first + i));
  }

  io::dtype type_ = io::dtype::f32;
  std::shared_ptr<block_scales const> scales_;
  std::optional<std::pair<std::uint64_t, std::uint64_t>> draw_;
};

}  // namespace lnpt::out_of_core
