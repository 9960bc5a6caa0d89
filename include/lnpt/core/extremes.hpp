#pragma once
/// The smallest and the largest value of a tensor.
#include <algorithm>
#include <cstddef>
#include <functional>
#include <limits>
#include <span>
#include <tbb/blocked_range.h>
#include <tbb/parallel_reduce.h>

#include <lnpt/core/tensor.hpp>

namespace lnpt {

/// The smallest and the largest of some values; NaN is neither. Of no values: infinity and −infinity.
struct extremes {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();

  [[nodiscard]] bool all_zero() const { return low == 0 && high == 0; }
};

namespace detail {

template <std::floating_point T>
[[nodiscard]] extremes extremes_in(std::span<T const> values) {
  constexpr std::size_t grain = std::size_t{1} << 15;
  auto const joined = [](extremes a, extremes b) { return extremes{std::min(a.low, b.low), std::max(a.high, b.high)}; };
  return tbb::parallel_reduce(
      tbb::blocked_range<std::size_t>(0, values.size(), grain), extremes{},
      [&](auto const& range, extremes found) {
        auto low = std::numeric_limits<T>::infinity();
        auto high = -low;
        for (auto i = range.begin(); i < range.end(); ++i) {
          low = values[i] < low ? values[i] : low;
          high = values[i] > high ? values[i] : high;
        }
        return joined(found, {double{low}, double{high}});
      },
      joined);
}

}  // namespace detail

/// The extremes of a tensor, where the tensor is if its type has `tensor_traits<T>::extremes`, through host memory otherwise.
template <tensor T>
[[nodiscard]] extremes extremes_of(T const& t) {
  if constexpr (requires { tensor_traits<T>::extremes(t); })
    return tensor_traits<T>::extremes(t);
  else if constexpr (host_tensor<T>)
    return detail::extremes_in(std::span<value_type<T> const>(tensor_traits<T>::view(t)));
  else
    return detail::extremes_in(std::span<value_type<T> const>(values_of(t)));
}

}  // namespace lnpt
