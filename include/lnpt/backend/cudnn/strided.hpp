#pragma once
/// Copies, products and sums over operands with strides of their own: what slices, broadcasts and pools of a whole image are made of.
#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include <lnpt/backend/cudnn/array.hpp>
#include <lnpt/backend/cudnn/kernels/transpose.hpp>

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
/// The logical axes of an array of rank 4 in the order in which it is stored.
[[nodiscard]] inline std::array<std::size_t, 4> order_of(storage how) {
  switch (how) {
    case storage::images: return {1, 0, 2, 3};
    case storage::images_last: return {1, 2, 3, 0};
    case storage::weights_last: return {0, 2, 3, 1};
    default: return {0, 1, 2, 3};
  }
}
/// The strides of an array's logical axes.
[[nodiscard]] inline shape strides_of(shape const& extents, storage how) {
  if (how == storage::as_extents) return contiguous(extents);
  shape strides(extents.size());
  std::size_t step = 1;
  auto const order = order_of(how);
  for (auto i = order.size(); i-- > 0; step *= extents[order[i]]) strides[order[i]] = step;
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

/// y[b, j, i] = x[b, i, j] of `count` matrices; `types` are those of the kernel.
inline void transpose(char const* types, void const* x, void* y, std::size_t count, std::size_t rows, std::size_t columns) {
  auto const tiles = [](std::size_t n) { return (n + transposed_tile - 1) / transposed_tile; };
  runtime::current().launch(std::string("transpose") + types, count * tiles(rows) * tiles(columns), 256, x, y,
                            static_cast<unsigned>(rows), static_cast<unsigned>(columns));
}

/// Whether two ways to store these extents are one.
[[nodiscard]] inline bool same_order(shape const& extents, storage a, storage b) {
  auto const first = strides_of(extents, a);
  auto const second = strides_of(extents, b);
  for (std::size_t i = 0; i < extents.size(); ++i)
    if (extents[i] > 1 && first[i] != second[i]) return false;
  return true;
}

/// The same values stored in another way; of rank 4, for other arrays have one.
template <class T>
[[nodiscard]] array<T> stored_as(array<T> const& x, storage how) {
  auto const& e = x.extents();
  if (x.how_stored() == how || e.size() != 4) return x;
  if (same_order(e, x.how_stored(), how)) return x.seen_as(e, how);
  array<T> result(e, how);
  auto const first = order_of(how)[0];
  if constexpr (sizeof(T) == sizeof(float))
    if (order_of(x.how_stored())[0] == first) {  // channels go last, or back: one matrix for each image or output
      auto const channels = e[1 - first];
      auto const pixels = e[2] * e[3];
      auto const back = x.how_stored() == storage::images_last || x.how_stored() == storage::weights_last;
      auto const from = x.read();
      transpose(from.is_bf16 ? "<bf16, float>" : "<float, float>", from.at, result.written(), e[first], back ? pixels : channels,
                back ? channels : pixels);
      return result;
    }
  auto const from = strides_of(e, x.how_stored());
  auto const to = strides_of(e, how);
  std::vector<axis> axes;
  for (auto const i : order_of(how)) axes.push_back({e[i], from[i], 0, to[i]});
  spread<T>(axes, x.data(), result.written());
  return result;
}

/// The same images, stored as images: extents of rank 4 that were stored otherwise are rewritten.
template <class T>
[[nodiscard]] array<T> as_images(array<T> const& x) {
  return stored_as(x, storage::images);
}
/// The same values in the order of the extents.
template <class T>
[[nodiscard]] array<T> in_order(array<T> const& x) {
  return stored_as(x, storage::as_extents);
}

/// Another array stored as the first one is.
template <class T>
[[nodiscard]] array<T> stored_like(array<T> const& first, array<T> const& other) {
  return stored_as(other, first.how_stored());
}

/// The way to store what is computed of two arrays element by element: channels last where either image lies so, else that of images where
/// either does, else that of the extents.
template <class T>
[[nodiscard]] storage common_storage(array<T> const& a, array<T> const& b) {
  if (a.how_stored() == b.how_stored() || b.extents().size() != 4) return a.how_stored();
  if (a.extents().size() != 4) return b.how_stored();
  for (auto const how : {storage::images_last, storage::images})
    if (a.how_stored() == how || b.how_stored() == how) return how;
  return storage::as_extents;
}

}  // namespace lnpt::cudnn::detail
