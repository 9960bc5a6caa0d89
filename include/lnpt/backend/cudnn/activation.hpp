#pragma once
/// Activation functions, and the rectifier with a slope below zero.
#include <string>

#include <lnpt/backend/cudnn/strided.hpp>
#include <lnpt/backend/power_of_two.hpp>
#include <lnpt/core/activation_function.hpp>

namespace lnpt::cudnn {

namespace detail {

/// The operands of the kernel: y = back·f(factor·x), g f′(factor·x) or g f″(factor·x) v.
template <class T>
struct activation_call {
  derivative wanted;
  array<T> const& x;
  array<T> const* g = nullptr;
  array<T> const* v = nullptr;
};

/// Computed in `Number`.
template <class Number, class T>
[[nodiscard]] array<T> activated(activation_function const& f, activation_call<T> const& call, double factor = 1,
                                 double back = 1) {
  if (f.kind == activation_kind::hardtanh && !(f.first < f.second))
    fail("hardtanh between ", f.first, " and ", f.second, "; pass a lower bound below the upper");
  auto const beside = [&](array<T> const* other) {
    if (other == nullptr) return array<T>{};
    require_same_size("activation function", call.x, *other);
    return stored_like(call.x, *other);
  };
  auto const g = beside(call.g);
  auto const v = beside(call.v);
  auto y = like(call.x);
  std::string const kernel = sizeof(T) == sizeof(double)        ? "activation<double, double>"
                             : sizeof(Number) == sizeof(double) ? "activation<float, double>"
                                                                : "activation<float, float>";
  runtime::current().for_each_element(kernel, y.size(), static_cast<int>(f.kind), static_cast<Number>(f.first),
                                      static_cast<Number>(f.second), static_cast<int>(call.wanted), call.x.data(),
                                      static_cast<Number>(factor), g.data(), v.data(), static_cast<Number>(back), y.written());
  return y;
}

}  // namespace detail

template <class T>
[[nodiscard]] array<T> activate(array<T> const& x, activation_function const& f) {
  return detail::activated<T, T>(f, {detail::derivative::value, x});
}
template <class T>
[[nodiscard]] array<T> activation_slope(array<T> const& x, array<T> const& g, activation_function const& f) {
  return detail::activated<T, T>(f, {detail::derivative::slope, x, &g});
}
template <class T>
[[nodiscard]] array<T> activation_curvature(array<T> const& x, array<T> const& g, array<T> const& v,
                                            activation_function const& f) {
  return detail::activated<T, T>(f, {detail::derivative::curvature, x, &g, &v});
}
template <class T>
[[nodiscard]] array<T> activate_scaled(array<T> const& x, int exponent, activation_function const& f, int result) {
  return detail::activated<double, T>(f, {detail::derivative::value, x}, lnpt::detail::power_of_two(exponent),
                                      1 / lnpt::detail::power_of_two(result));
}
template <class T>
[[nodiscard]] array<T> activation_slope_scaled(array<T> const& x, int exponent, array<T> const& g, activation_function const& f) {
  return detail::activated<double, T>(f, {detail::derivative::slope, x, &g}, lnpt::detail::power_of_two(exponent));
}

namespace detail {

/// What slopes per channel see of an array: images of several pixels, or features, or all as one channel.
struct channel_runs {
  std::size_t samples, channels, pixels;

  channel_runs(shape const& extents, std::size_t slopes) {
    bool const images = extents.size() == 4;
    auto const width = images ? extents[0] : extents.back();
    if (slopes != 1 && slopes != width)
      fail("prelu: ", slopes, " slopes for an array of shape ", list(extents), "; pass one, or one per channel");
    channels = slopes;
    pixels = slopes == 1 ? element_count(extents) : images ? extents[2] * extents[3] : 1;
    samples = channels * pixels == 0 ? 0 : element_count(extents) / (channels * pixels);
  }
};

}  // namespace detail

/// v where the gate is positive, a·v elsewhere.
template <class T>
[[nodiscard]] array<T> prelu(array<T> const& gate, array<T> const& v, array<T> const& a) {
  detail::require_same_size("prelu", gate, v);
  detail::channel_runs const runs(gate.extents(), a.size());
  auto const open = detail::as_images(gate);
  auto const values = detail::as_images(v);
  auto y = detail::like(values);
  detail::runtime::current().for_each_element(detail::kernel_for<T>("prelu"), y.size(), open.data(), values.data(), a.data(),
                                              y.written(), static_cast<unsigned>(runs.channels),
                                              static_cast<unsigned>(std::max<std::size_t>(1, runs.pixels)));
  return y;
}

}  // namespace lnpt::cudnn
