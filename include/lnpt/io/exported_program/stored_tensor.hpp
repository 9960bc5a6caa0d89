#pragma once
/// The tensors of an exported program: each a strided view of the bytes of one entry.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <lnpt/core/error.hpp>
#include <lnpt/core/shape.hpp>
#include <lnpt/io/convert_values.hpp>
#include <lnpt/io/dtype.hpp>
#include <lnpt/io/zip/archive.hpp>

namespace lnpt::io::exported {

/// A tensor of the archive. Element (i₀, i₁, …) is element offset + Σ iₖ strideₖ of the entry. Two names on the same elements are one
/// tensor.
struct stored_tensor {
  std::string name;                     ///< the state_dict's
  zip::entry const* storage = nullptr;  ///< of the archive, which must outlive it
  io::dtype dtype = io::dtype::f32;
  lnpt::shape extents;
  std::vector<std::size_t> strides;
  std::size_t offset = 0;

  [[nodiscard]] std::size_t size() const { return element_count(extents); }
  /// What two names of the same elements have in common.
  using place = std::tuple<std::uint64_t, io::dtype, lnpt::shape, std::vector<std::size_t>, std::size_t>;
  [[nodiscard]] place elements() const { return {storage->offset, dtype, extents, strides, offset}; }
};

/// The dtype behind a number of PyTorch's export schema (ScalarType of version 8), or nothing.
[[nodiscard]] constexpr std::optional<dtype> dtype_numbered(std::int64_t number) {
  switch (number) {
    case 1: return dtype::u8;
    case 2: return dtype::i8;
    case 3: return dtype::i16;
    case 4: return dtype::i32;
    case 5: return dtype::i64;
    case 6: return dtype::f16;
    case 7: return dtype::f32;
    case 8: return dtype::f64;
    case 12: return dtype::boolean;
    case 13: return dtype::bf16;
    case 28: return dtype::u16;
    case 34: return dtype::u32;
    case 35: return dtype::u64;
    default: return std::nullopt;
  }
}

/// The name of a dtype that no network computes with, by the same numbers.
[[nodiscard]] inline std::string unread_dtype(std::int64_t number) {
  switch (number) {
    case 9: return "complex32";
    case 10: return "complex64";
    case 11: return "complex128";
    case 29: return "float8_e4m3fn";
    case 30: return "float8_e5m2";
    case 31: return "float8_e4m3fnuz";
    case 32: return "float8_e5m2fnuz";
    case 33: return "float8_e8m0fnu";
    default: return "number " + std::to_string(number) + " of PyTorch's export schema";
  }
}

namespace detail {

/// Refuses a view that leaves its entry or has two indices for one element, so that a tensor is never larger than its bytes.
inline void check_view(stored_tensor const& tensor, std::string const& file) {
  std::vector<std::size_t> order(tensor.extents.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t axis) { return tensor.strides[axis]; });
  auto const width = bits_of(tensor.dtype) / 8;
  auto const held = tensor.storage->size / width;
  auto const refuse = [&](auto const&... what) {
    fail(file, ": tensor ", tensor.name, " with extents ", list(tensor.extents), " and strides ", list(tensor.strides), " at ",
         tensor.offset, ' ', what..., " of entry ", tensor.storage->name, " at byte ", tensor.storage->offset);
  };
  auto const empty = std::ranges::find(tensor.extents, std::size_t{0}) != tensor.extents.end();
  std::size_t last = 0;  // of the elements, counted from the first
  for (auto const axis : order) {
    auto const extent = tensor.extents[axis];
    auto const stride = tensor.strides[axis];
    if (empty || extent == 1) continue;
    if (stride <= last) refuse("reads an element twice");
    if (extent - 1 > (held - std::min<std::uint64_t>(last, held)) / stride) refuse("leaves the ", held, " elements");
    last += (extent - 1) * stride;
  }
  if (!empty && (tensor.offset >= held || last >= held - tensor.offset)) refuse("leaves the ", held, " elements");
}

[[nodiscard]] inline bool is_whole_entry(stored_tensor const& tensor) {
  std::size_t dense = 1;
  for (auto axis = tensor.extents.size(); axis-- > 0; dense *= tensor.extents[axis])
    if (tensor.extents[axis] != 1 && tensor.strides[axis] != dense) return false;
  return tensor.offset == 0 && dense * (bits_of(tensor.dtype) / 8) == tensor.storage->size;
}

/// Calls `visit(i, place)` for each index i in row-major order and the element of the entry where it lies.
template <class Visit>
void for_each_element(stored_tensor const& tensor, Visit visit) {
  std::vector<std::size_t> at(tensor.extents.size());
  auto place = tensor.offset;
  for (std::size_t i = 0, count = tensor.size(); i < count; ++i) {
    visit(i, place);
    for (auto axis = at.size(); axis-- > 0;) {
      place += tensor.strides[axis];
      if (++at[axis] < tensor.extents[axis]) break;
      place -= at[axis] * tensor.strides[axis];
      at[axis] = 0;
    }
  }
}

/// Numbers of a stored type, from their bytes to T; false where T does not hold that type.
template <class T>
[[nodiscard]] bool convert_stored(dtype type, std::byte const* from, std::span<T> to) {
  auto converted = false;
  io::detail::with_stored_type(type, [&](auto tag) {
    using stored = typename decltype(tag)::type;
    if constexpr (io::detail::convertible_values<stored, T>)
      converted = io::detail::convert_values<stored>(from, to) == to.size();
  });
  return converted;
}

}  // namespace detail

/// The values, row-major, converted to `T`.
template <class T>
[[nodiscard]] std::vector<T> read_values(zip::archive const& archive, stored_tensor const& tensor) {
  std::vector<T> values(tensor.size());
  if (tensor.dtype == dtype_of<T>() && detail::is_whole_entry(tensor)) {
    archive.read(*tensor.storage, std::as_writable_bytes(std::span(values)));
    return values;
  }
  auto const bytes = archive.read(*tensor.storage);
  auto const width = bits_of(tensor.dtype) / 8;
  auto converted = true;
  if (detail::is_whole_entry(tensor))
    converted = detail::convert_stored<T>(tensor.dtype, bytes.data(), values);
  else
    detail::for_each_element(tensor, [&](std::size_t i, std::size_t place) {
      converted &= detail::convert_stored<T>(tensor.dtype, bytes.data() + place * width, std::span(values).subspan(i, 1));
    });
  if (!converted)
    fail(archive.name(), ": tensor ", tensor.name, " of dtype ", name_of(tensor.dtype), " does not convert to ",
         name_of(dtype_of<T>()));
  return values;
}

}  // namespace lnpt::io::exported
