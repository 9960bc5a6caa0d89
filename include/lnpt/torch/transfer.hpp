#pragma once
/// What travels between host memory and the device of a tensor: values, and the bits of masks.
#include <ATen/ATen.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include <lnpt/core/shape.hpp>
#include <lnpt/mask/mask_set.hpp>

namespace lnpt::detail {

/// Extents as LibTorch counts them, and back.
[[nodiscard]] inline std::vector<std::int64_t> torch_sizes(shape const& extents) { return {extents.begin(), extents.end()}; }
[[nodiscard]] inline shape extents_of(at::Tensor const& t) { return {t.sizes().begin(), t.sizes().end()}; }

/// Memory of the host that a device copies from without making the host wait.
[[nodiscard]] inline at::Tensor staging_for(at::Device device, at::IntArrayRef sizes, at::ScalarType type) {
  return at::empty(sizes, at::TensorOptions().dtype(type).pinned_memory(device.is_cuda()));
}

/// A copy of host values on the device of `near`.
template <class Value>
[[nodiscard]] at::Tensor to_device(std::span<Value const> values, at::IntArrayRef sizes, at::Tensor const& near) {
  auto const device = near.defined() ? near.device() : at::Device(at::kCPU);
  auto const host = staging_for(device, sizes, c10::CppTypeToScalarType<Value>::value);
  std::copy(values.begin(), values.end(), host.template data_ptr<Value>());
  return host.to(device, /*non_blocking=*/true);
}

/// The bits 1, 2, 4 … 128 of a byte, on the device of `near`.
[[nodiscard]] inline at::Tensor bits_of_byte(at::Tensor const& near) {
  return at::pow(2, at::arange(8, near.options().requires_grad(false).dtype(at::kInt))).to(at::kByte);
}

static_assert(std::endian::native == std::endian::little, "lnpt: masks cross to a device as bytes, least significant first");

/// Where the bits of a mask are 0: a bool tensor of these sizes on the device of `near`. One bit per weight is what travels there.
[[nodiscard]] inline at::Tensor pruned_places(std::span<mask::word const> kept, at::IntArrayRef sizes, at::Tensor const& near) {
  auto const* const first = reinterpret_cast<std::uint8_t const*>(kept.data());
  auto const bytes = to_device(std::span(first, kept.size_bytes()), {static_cast<std::int64_t>(kept.size_bytes()), 1}, near);
  auto const all = bytes.bitwise_and(bits_of_byte(near)).eq(0).flatten();
  return all.narrow(0, 0, c10::multiply_integers(sizes)).reshape(sizes);
}

[[nodiscard]] inline at::Tensor pruned_places(mask const& kept, at::Tensor const& near) {
  return pruned_places(kept.words(), torch_sizes(kept.extents()), near);
}

/// A bool tensor as the words of a mask, packed on its device.
inline void write_bits(at::Tensor const& kept, std::span<mask::word> words) {
  auto const padded = at::zeros({static_cast<std::int64_t>(words.size_bytes()) * 8}, kept.options().dtype(at::kByte));
  padded.narrow(0, 0, kept.numel()).copy_(kept);
  auto const bytes = padded.view({-1, 8}).mul(bits_of_byte(kept)).sum(1, /*keepdim=*/false, at::kByte).to(at::kCPU).contiguous();
  std::memcpy(words.data(), bytes.data_ptr(), words.size_bytes());
}

}  // namespace lnpt::detail
