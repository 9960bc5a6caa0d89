#pragma once
/// The memory that a tensor lies in.
#include <ATen/ATen.h>

#include <cstdint>

namespace lnpt::detail {

/// Addresses from the first byte of a tensor to behind its last; what lies in between may belong to others, where strides leave gaps.
struct memory_range {
  std::uintptr_t begin = 0, end = 0;

  /// Whether the tensor has memory of its own.
  [[nodiscard]] explicit operator bool() const { return begin != 0; }
};

[[nodiscard]] inline memory_range memory_of(at::Tensor const& tensor) {
  if (!tensor.defined() || !tensor.has_storage() || tensor.numel() == 0) return {};
  std::int64_t last = 0;
  for (std::int64_t axis = 0; axis < tensor.dim(); ++axis) last += (tensor.size(axis) - 1) * tensor.stride(axis);
  auto const begin = reinterpret_cast<std::uintptr_t>(tensor.data_ptr());
  return {begin, begin + static_cast<std::uintptr_t>(last + 1) * tensor.element_size()};
}

/// Whether two tensors are the same values in the same order, in the same memory.
[[nodiscard]] inline bool are_twins(at::Tensor const& a, at::Tensor const& b) {
  return memory_of(a) && memory_of(a).begin == memory_of(b).begin && a.scalar_type() == b.scalar_type() &&
         a.sizes().equals(b.sizes()) && a.strides().equals(b.strides());
}

}  // namespace lnpt::detail
