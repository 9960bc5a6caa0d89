#pragma once
/// The CPU engine's tensor: an xtensor array, row-major, over recycled memory.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <span>
#include <type_traits>
#include <vector>

#include <lnpt/backend/cpu/memory/recycling_allocator.hpp>
#include <lnpt/backend/cpu/xtensor.hpp>
#include <lnpt/core/tensor.hpp>

namespace lnpt::cpu {

/// A dense row-major array of `float` or `double`. New elements are not initialised.
template <class T>
using array = xt::xarray<T, xt::layout_type::row_major, recycling_allocator<T>>;

/// An array of this shape, its elements not initialised.
template <class T>
[[nodiscard]] array<T> uninitialized(shape const& extents) {
  return array<T>::from_shape(extents);
}

/// An array of this shape filled with `value`.
template <class T>
[[nodiscard]] array<T> filled(shape const& extents, T value) {
  auto result = uninitialized<T>(extents);
  std::fill(result.data(), result.data() + result.size(), value);
  return result;
}

namespace detail {

/// Calls `f(row of in, row of out, width)` for each row of [B, K].
template <class T, class F>
[[nodiscard]] array<T> map_rows(array<T> const& in, F f) {
  auto out = array<T>::from_shape(in.shape());
  auto const width = in.shape().back();
  for (std::size_t at = 0; at < in.size(); at += width) f(in.data() + at, out.data() + at, width);
  return out;
}

template <class T>
void log_softmax_row(T const* in, T* out, std::size_t width) {
  auto const largest = *std::max_element(in, in + width);
  T total = 0;
  for (std::size_t k = 0; k < width; ++k) total += std::exp(in[k] - largest);
  auto const shift = largest + std::log(total);
  for (std::size_t k = 0; k < width; ++k) out[k] = in[k] - shift;
}

template <class T>
void row_sum_row(T const* in, T* out, std::size_t width) {
  T total = 0;
  for (std::size_t k = 0; k < width; ++k) total += in[k];
  std::fill_n(out, width, total);
}

}  // namespace detail
}  // namespace lnpt::cpu

namespace lnpt::cpu::sparse {
template <class T>
class kept_weights;
}

template <class T>
struct lnpt::tensor_traits<lnpt::cpu::array<T>> {
  using value_type = T;
  using kept_weights = lnpt::cpu::sparse::kept_weights<T>;  // sparse/kept_weights.hpp
  using array = lnpt::cpu::array<T>;

  static std::size_t size(array const& t) { return t.size(); }
  static lnpt::shape shape(array const& t) { return {t.shape().begin(), t.shape().end()}; }
  static std::span<T const> view(array const& t) { return {t.data(), t.size()}; }
  static std::span<T> view(array& t) { return {t.data(), t.size()}; }
  static void copy_to(array const& t, std::span<T> out) { std::copy_n(t.data(), t.size(), out.data()); }
  static array empty(lnpt::shape const& extents) { return lnpt::cpu::uninitialized<T>(extents); }
  static array rows(array const& t, std::size_t begin, std::size_t end) {
    auto extents = shape(t);
    auto const stride = extents[0] ? t.size() / extents[0] : 0;
    extents[0] = end - begin;
    return make(extents, view(t).subspan(begin * stride, (end - begin) * stride));
  }
  static array make(lnpt::shape const& extents, std::span<T const> values, array const& = {}) {
    auto result = lnpt::cpu::uninitialized<T>(extents);
    std::copy(values.begin(), values.end(), result.data());
    return result;
  }

  // What losses are written in: loss/functions.hpp.
  static array exp(array const& t) { return xt::exp(t); }
  static array log_softmax(array const& t) { return lnpt::cpu::detail::map_rows(t, lnpt::cpu::detail::log_softmax_row<T>); }
  static array row_sum(array const& t) { return lnpt::cpu::detail::map_rows(t, lnpt::cpu::detail::row_sum_row<T>); }
  static double sum(array const& t) { return std::accumulate(t.data(), t.data() + t.size(), 0.0); }
  static array one_hot(std::vector<std::int64_t> const& labels, array const& like) {
    auto result = lnpt::cpu::filled<T>(shape(like), T{0});
    auto const width = like.shape().back();
    for (std::size_t b = 0; b < labels.size(); ++b) result.data()[b * width + static_cast<std::size_t>(labels[b])] = 1;
    return result;
  }
  static std::vector<std::int64_t> argmax(array const& t) {
    auto const width = t.shape().back();
    std::vector<std::int64_t> largest;
    for (auto const* row = t.data(); row != t.data() + t.size(); row += width)
      largest.push_back(std::max_element(row, row + width) - row);
    return largest;
  }
};
