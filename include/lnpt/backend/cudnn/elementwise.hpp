#pragma once
/// Elementwise passes.
#include <algorithm>
#include <bit>
#include <cstdint>

#include <lnpt/backend/cudnn/strided.hpp>

namespace lnpt::cudnn {

namespace detail {

template <class T>
[[nodiscard]] array<T> unary(unary_operation operation, array<T> const& x, double factor = 1, double offset = 0) {
  auto y = like(x);
  auto* const to = y.written();
  runtime::current().for_each_element(kernel_for<T>("unary"), x.size(), static_cast<int>(operation), x.read(), to,
                                      written_in_bf16(y), static_cast<T>(factor), static_cast<T>(offset));
  return y;
}

/// Of arrays of one size, stored as `common_storage` says.
template <class T>
[[nodiscard]] array<T> binary(char const* what, binary_operation operation, array<T> const& a, array<T> const& b) {
  require_same_size(what, a, b);
  auto const how = common_storage(a, b);
  auto const first = stored_as(a, how);
  auto const second = stored_as(b, how);
  auto y = like(first);
  auto* const to = y.written();
  runtime::current().for_each_element(kernel_for<T>("binary"), a.size(), static_cast<int>(operation), first.read(), second.read(),
                                      to, written_in_bf16(y));
  return y;
}

}  // namespace detail

template <class T>
[[nodiscard]] array<T> filled(shape const& extents, T value) {
  array<T> y(extents);
  auto const n = y.size();
  detail::runtime::current().for_each_element(detail::kernel_for<T>("fill"), n, y.written(), value);
  return y;
}

template <class T>
[[nodiscard]] array<T> operator*(array<T> const& a, array<T> const& b) {
  return detail::binary("product", detail::binary_operation::multiply, a, b);
}
template <class T>
[[nodiscard]] array<T> operator+(array<T> const& a, array<T> const& b) {
  return detail::binary("sum", detail::binary_operation::add, a, b);
}
template <class T>
[[nodiscard]] array<T> operator-(array<T> const& a, array<T> const& b) {
  return detail::binary("difference", detail::binary_operation::subtract, a, b);
}
/// factor · x; adding −0 changes no bit.
template <class T>
[[nodiscard]] array<T> operator*(double factor, array<T> const& x) {
  return detail::unary(detail::unary_operation::affine, x, factor, -0.0);
}
template <class T>
[[nodiscard]] array<T> abs(array<T> const& x) {
  return detail::unary(detail::unary_operation::absolute, x);
}

/// max |x|, NaN if there is one; a read that waits for the device.
template <class T>
[[nodiscard]] double largest(array<T> const& x) {
  auto& device = detail::runtime::current();
  auto const bits = detail::allocate(sizeof(unsigned long long));
  detail::check(cudaMemsetAsync(bits->get(), 0, sizeof(unsigned long long), device.stream()), "cudaMemsetAsync");
  if (x.size() != 0)
    device.launch(detail::kernel_for<T>("largest"), std::min<std::size_t>(256, (x.size() + 255) / 256), 256, x.data(),
                  static_cast<unsigned long long*>(bits->get()), static_cast<unsigned>(x.size()));
  std::uint64_t found = 0;
  detail::copy(&found, bits->get(), sizeof found, cudaMemcpyDeviceToHost);
  if constexpr (sizeof(T) == sizeof(std::uint32_t))
    return static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(found)));
  else
    return std::bit_cast<double>(found);
}

}  // namespace lnpt::cudnn
