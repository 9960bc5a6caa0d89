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

[[nodiscard]] inline pooling pooling_of(pool_window const& w, shape const& in, shape const& out, storage how) {
  auto const n = [](std::size_t v) { return static_cast<unsigned>(v); };
  return {{n(in[2]), n(in[3])},
          {n(out[2]), n(out[3])},
          {n(w.kernel.h), n(w.kernel.w)},
          {n(w.stride.h), n(w.stride.w)},
          {n(w.padding.top), n(w.padding.left)},
          {n(w.padding.bottom), n(w.padding.right)},
          w.count_include_pad ? 1 : 0,
          how == storage::images_last ? n(in[0]) : 1};
}
/// How images lie that are pooled: as they do, if they lie as images.
template <class T>
[[nodiscard]] storage pooled_storage(array<T> const& x) {
  return x.how_stored() == storage::images_last ? storage::images_last : storage::images;
}
/// How those lay of which maxima were chosen.
[[nodiscard]] inline storage storage_of(pool_indices const& chosen) {
  return chosen.window.channels == 1 ? storage::images : storage::images_last;
}

/// Runs a kernel of pooling: the window, what it reads, more operands, and the result in both types.
template <class T, class... More>
void run_pooling(char const* kernel, pooling const& window, array<T> const& from, array<T>& to, More... more) {
  auto* const written = to.written();
  auto* const rounded = written_in_bf16(to);
  runtime::current().for_each_element(kernel_for<T>(kernel), to.size(), window, from.read(), more..., written, rounded);
}

}  // namespace detail

template <class T>
[[nodiscard]] array<T> max_pool(array<T> const& x, pool_window const& window, pool_indices& chosen) {
  auto const out = window.out_shape(x.extents());
  auto const how = detail::pooled_storage(x);
  array<T> y(out, how);
  chosen = {detail::pooling_of(window, x.extents(), out, how), detail::allocate(y.size() * sizeof(unsigned)), out};
  detail::run_pooling("max_pool", chosen.window, detail::stored_as(x, how), y, chosen.data());
  return y;
}

/// The elements of x that a maximum chose: its tangent.
template <class T>
[[nodiscard]] array<T> gather_pool(array<T> const& x, pool_indices const& chosen, shape const& y_shape) {
  if (chosen.extents != y_shape)
    fail("gather_pool: indices for outputs of shape ", list(chosen.extents), ", not ", list(y_shape),
         "; pass those of the same max_pool");
  auto const how = detail::storage_of(chosen);
  array<T> y(y_shape, how);
  detail::run_pooling("gather_pool", chosen.window, detail::stored_as(x, how), y, static_cast<unsigned const*>(chosen.data()));
  return y;
}

/// The adjoint of `gather_pool`: the reverse rule of a maximum.
template <class T>
[[nodiscard]] array<T> scatter_pool(array<T> const& gy, pool_indices const& chosen, shape const& x_shape) {
  if (chosen.extents != gy.extents())
    fail("scatter_pool: indices for outputs of shape ", list(chosen.extents), " and gradients of shape ", list(gy.extents()),
         "; pass those of the same max_pool");
  auto const how = detail::storage_of(chosen);
  array<T> gx(x_shape, how);
  detail::run_pooling("scatter_pool", chosen.window, detail::stored_as(gy, how), gx, static_cast<unsigned const*>(chosen.data()));
  return gx;
}

template <class T>
[[nodiscard]] array<T> average_pool(array<T> const& x, pool_window const& window) {
  auto const out = window.out_shape(x.extents());
  auto const how = detail::pooled_storage(x);
  array<T> y(out, how);
  detail::run_pooling("average_pool", detail::pooling_of(window, x.extents(), out, how), detail::stored_as(x, how), y);
  return y;
}

template <class T>
[[nodiscard]] array<T> average_pool_adjoint(array<T> const& gy, pool_window const& window, shape const& x_shape) {
  auto const out = window.out_shape(x_shape);
  if (out != gy.extents())
    fail("average_pool_adjoint: gradients of shape ", list(gy.extents()), "; pass some of shape ", list(out),
         ", what this window makes of ", list(x_shape));
  auto const how = detail::pooled_storage(gy);
  array<T> gx(x_shape, how);
  detail::run_pooling("average_pool_adjoint", detail::pooling_of(window, x_shape, out, how), detail::stored_as(gy, how), gx);
  return gx;
}

/// The mean of every plane: [C, N, H, W] → [N, C].
template <class T>
[[nodiscard]] array<T> global_average_pool(array<T> const& x) {
  detail::require_images("global_average_pool", x.extents());
  auto const& e = x.extents();
  auto const area = e[2] * e[3];
  array<T> y({e[1], e[0]});
  auto const step = detail::strides_of(e, x.how_stored());
  detail::sum_products<T>({{e[1], step[1], 0, e[0]}, {e[0], step[0], 0, 1}}, {{area, step[3], 0, 0}}, x.data(), nullptr,
                          y.written(), static_cast<double>(area), false);
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
  array<T> gx(images, detail::storage_of_images<T>());
  auto const step = detail::strides_of(images, gx.how_stored());
  detail::spread<T>({{images[1], images[0], 0, step[1]}, {area, 0, 0, step[3]}, {images[0], 1, 0, step[0]}}, g.data(),
                    gx.written(), static_cast<T>(area));
  return gx;
}

}  // namespace lnpt::cudnn
