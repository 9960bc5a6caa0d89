#pragma once
/// Copies, products and sums over operands with strides of their own: what slices, broadcasts and pools of a whole image are made of.
#include <algorithm>
#include <cstddef>
#include <vector>

#include <lnpt/backend/cudnn/array.hpp>

namespace lnpt::cudnn::detail {

/// A walk as the kernels have it: up to five axes, and how far each operand moves along them.
struct walk {
  unsigned extents[5] = {1, 1, 1, 1, 1};
  unsigned x[5] = {}, y[5] = {}, out[5] = {};
};

/// One axis of a walk.
struct axis {
  std::size_t extent, x, y, out;
};

[[nodiscard]] inline walk walk_of(std::vector<axis> const& axes) {
  walk w;
  auto const skipped = std::size(w.extents) - axes.size();
  for (std::size_t i = 0; i < axes.size(); ++i) {
    w.extents[skipped + i] = static_cast<unsigned>(axes[i].extent);
    w.x[skipped + i] = static_cast<unsigned>(axes[i].x);
    w.y[skipped + i] = static_cast<unsigned>(axes[i].y);
    w.out[skipped + i] = static_cast<unsigned>(axes[i].out);
  }
  return w;
}
[[nodiscard]] inline std::size_t count(std::vector<axis> const& axes) {
  std::size_t n = 1;
  for (auto const& a : axes) n *= a.extent;
  return n;
}

/// From one element to the next along each axis of an array that is stored in the order of its extents.
[[nodiscard]] inline shape contiguous(shape const& extents) {
  shape strides(extents.size());
  std::size_t step = 1;
  for (auto i = extents.size(); i-- > 0; step *= extents[i]) strides[i] = step;
  return strides;
}
/// The strides of an array's logical axes.
[[nodiscard]] inline shape strides_of(shape const& extents, storage how) {
  if (how == storage::as_extents) return contiguous(extents);
  auto strides = contiguous(stored(extents));
  std::swap(strides[0], strides[1]);
  return strides;
}

/// out[…] = x[…]/divisor along these axes.
template <class T>
void spread(std::vector<axis> const& axes, T const* x, T* out, T divisor = T{1}) {
  runtime::current().for_each_element(kernel_for<T>("spread"), count(axes), walk_of(axes), x, out, divisor);
}

/// out[outer] (+)= Σ_inner x·y / divisor, in double and in a fixed order; without y, sums of x.
template <class T>
void sum_products(std::vector<axis> const& outer, std::vector<axis> const& inner, T const* x, T const* y, T* out, double divisor,
                  bool accumulate) {
  if (count(outer) == 0) return;
  runtime::current().launch(kernel_for<T>("sum_products"), count(outer), 256, walk_of(outer), walk_of(inner), x, y, out, divisor,
                            static_cast<int>(accumulate), static_cast<unsigned>(count(inner)));
}

/// The same images, stored as images: extents of rank 4 that were stored in their own order are rewritten.
template <class T>
[[nodiscard]] array<T> as_images(array<T> const& x) {
  auto const& e = x.extents();
  if (x.how_stored() == storage::images || e.size() != 4) return x;
  if (e[0] == 1 || e[1] == 1) return x.seen_as(e, storage::images);
  array<T> result(e, storage::images);
  auto const from = strides_of(e, storage::as_extents);
  auto const to = strides_of(e, storage::images);
  spread<T>({{e[0], from[0], 0, to[0]}, {e[1], from[1], 0, to[1]}, {e[2] * e[3], 1, 0, 1}}, x.data(), result.written());
  return result;
}
/// The same values in the order of the extents.
template <class T>
[[nodiscard]] array<T> in_order(array<T> const& x) {
  if (x.how_stored() == storage::as_extents) return x;
  auto const& e = x.extents();
  array<T> result(e);
  auto const from = strides_of(e, storage::images);
  auto const to = strides_of(e, storage::as_extents);
  spread<T>({{e[0], from[0], 0, to[0]}, {e[1], from[1], 0, to[1]}, {e[2] * e[3], 1, 0, 1}}, x.data(), result.written());
  return result;
}

/// Another array stored as the first one is.
template <class T>
[[nodiscard]] array<T> stored_like(array<T> const& first, array<T> const& other) {
  return first.how_stored() == storage::images ? as_images(other) : in_order(other);
}

}  // namespace lnpt::cudnn::detail
