#pragma once
/// Pooling of images: values, adjoints, and the tangent of a maximum.
#include <lnpt/backend/cpu/pool.hpp>
#include <lnpt/backend/cudnn/strided.hpp>

namespace lnpt::cudnn {

using cpu::pool_window;

/// Where in its plane each maximum was, and of which windows.
struct pool_indices {
  detail::pooling window{};
  detail::shared_buffer chosen;
  shape extents;  ///< of the outputs

  [[nodiscard]] unsigned* data() const { return chosen ? static_cast<unsigned*>(chosen->get()) : nullptr; }
};

namespace detail {

[[nodiscard]] inline pooling pooling_of(pool_window const& w, shape const& in, shape const& out) {
  auto const n = [](std::size_t v) { return static_cast<unsigned>(v); };
  return {{n(in[2]), n(in[3])},
          {n(out[2]), n(out[3])},
          {n(w.kernel.h), n(w.kernel.w)},
          {n(w.stride.h), n(w.stride.w)},
          {n(w.padding.top), n(w.padding.left)},
          {n(w.padding.bottom), n(w.padding.right)},
          w.count_include_pad ? 1 : 0};
}

}  // namespace detail

template <class T>
[[nodiscard]] array<T> max_pool(array<T> const& x, pool_window const& window, pool_indices& chosen) {
  auto const out = window.out_shape(x.extents());
  array<T> y(out, storage::images);
  chosen = {detail::pooling_of(window, x.extents(), out), detail::allocate(y.size() * sizeof(unsigned)), out};
  auto const images = detail::as_images(x);
  detail::runtime::current().for_each_element(detail::kernel_for<T>("max_pool"), y.size(), chosen.window, images.data(),
                                              y.written(), chosen.data());
  return y;
}

/// The elements of x that a maximum chose: its tangent.
template <class T>
[[nodiscard]] array<T> gather_pool(array<T> const& x, pool_indices const& chosen, shape const& y_shape) {
  if (chosen.extents != y_shape)
    fail("gather_pool: indices for outputs of shape ", list(chosen.extents), ", not ", list(y_shape),
         "; pass those of the same max_pool");
  array<T> y(y_shape, storage::images);
  auto const images = detail::as_images(x);
  detail::runtime::current().for_each_element(detail::kernel_for<T>("gather_pool"), y.size(), chosen.window, images.data(),
                                              static_cast<unsigned const*>(chosen.data()), y.written());
  return y;
}

/// The adjoint of `gather_pool`: the reverse rule of a maximum.
template <class T>
[[nodiscard]] array<T> scatter_pool(array<T> const& gy, pool_indices const& chosen, shape const& x_shape) {
  if (chosen.extents != gy.extents())
    fail("scatter_pool: indices for outputs of shape ", list(chosen.extents), " and gradients of shape ", list(gy.extents()),
         "; pass those of the same max_pool");
  array<T> gx(x_shape, storage::images);
  auto const slopes = detail::as_images(gy);
  detail::runtime::current().for_each_element(detail::kernel_for<T>("scatter_pool"), gx.size(), chosen.window, slopes.data(),
                                              static_cast<unsigned const*>(chosen.data()), gx.written());
  return gx;
}

template <class T>
[[nodiscard]] array<T> average_pool(array<T> const& x, pool_window const& window) {
  auto const out = window.out_shape(x.extents());
  array<T> y(out, storage::images);
  auto const images = detail::as_images(x);
  detail::runtime::current().for_each_element(detail::kernel_for<T>("average_pool"), y.size(),
                                              detail::pooling_of(window, x.extents(), out), images.data(), y.written());
  return y;
}

template <class T>
[[nodiscard]] array<T> average_pool_adjoint(array<T> const& gy, pool_window const& window, shape const& x_shape) {
  auto const out = window.out_shape(x_shape);
  if (out != gy.extents())
    fail("average_pool_adjoint: gradients of shape ", list(gy.extents()), "; pass some of shape ", list(out),
         ", what this window makes of ", list(x_shape));
  array<T> gx(x_shape, storage::images);
  auto const slopes = detail::as_images(gy);
  detail::runtime::current().for_each_element(detail::kernel_for<T>("average_pool_adjoint"), gx.size(),
                                              detail::pooling_of(window, x_shape, out), slopes.data(), gx.written());
  return gx;
}

/// The mean of every plane: [C, N, H, W] → [N, C].
template <class T>
[[nodiscard]] array<T> global_average_pool(array<T> const& x) {
  detail::require_images("global_average_pool", x.extents());
  auto const& e = x.extents();
  auto const area = e[2] * e[3];
  array<T> y({e[1], e[0]});
  auto const images = detail::as_images(x);
  detail::sum_products<T>({{e[0] * e[1], area, 0, 1}}, {{area, 1, 0, 0}}, images.data(), nullptr, y.written(),
                          static_cast<double>(area), false);
  return y;
}

/// The adjoint of `global_average_pool`: g[N, C] → [C, N, H, W].
template <class T>
[[nodiscard]] array<T> global_average_pool_adjoint(array<T> const& g, shape const& images) {
  detail::require_images("global_average_pool_adjoint", images);
  auto const area = images[2] * images[3];
  auto const planes = images[0] * images[1];
  if (g.size() != planes)
    fail("global_average_pool_adjoint: gradients of shape ", list(g.extents()), " for an image of shape ", list(images),
         "; pass [", images[1], ", ", images[0], ']');
  array<T> gx(images, storage::images);
  detail::spread<T>({{planes, 1, 0, area}, {area, 0, 0, 1}}, g.data(), gx.written(), static_cast<T>(area));
  return gx;
}

}  // namespace lnpt::cudnn
