#pragma once
/// The convolution triple by oneDNN, on the CPU engine's arrays [C, N, H, W].
///
/// A piece of the images is copied into oneDNN's layout, multiplied, and copied back while it is in a core's cache. Pieces are tasks of
/// oneTBB; oneDNN itself runs on one thread in each, so that no second pool of threads competes with the first.
#include <vector>

#include <lnpt/backend/cpu/array.hpp>
#include <lnpt/backend/cpu/convolution/conv_geometry.hpp>
#include <lnpt/backend/cpu/layout.hpp>
#include <lnpt/backend/cpu/parallel.hpp>
#include <lnpt/backend/onednn/plan.hpp>

namespace lnpt::onednn {

namespace detail {

using cpu::array;

inline constexpr std::size_t cache_bytes = std::size_t{1} << 20;  ///< of a core's own cache, for the images of a piece

using cpu::detail::extents_of;

/// The weights of every slice in oneDNN's layout, which may differ for the two lengths of a range of samples.
class packed_weights {
 public:
  packed_weights(plan const& p, float const* w) : all_(2 * p.slices()) {
    cpu::for_each_task(all_.size(), [&](std::size_t i) {
      auto const n = i % 2 == 0 ? 0 : p.samples() - 1;  // the first range is a shorter one, the last a longer
      if (p.longer(n) != i % 2) return;
      auto const kernel = p.kernel_at(n, i / 2);
      all_[i].resize({kernel->w.packed_size()});
      kernel->w.pack(w + p.w_offset(i / 2), all_[i].data());
    });
  }
  [[nodiscard]] float const* at(std::size_t slice, std::size_t longer) const { return all_[2 * slice + longer].data(); }

 private:
  std::vector<array<float>> all_;
};

inline array<float> packed(operand const& image, float const* from) {
  auto result = cpu::uninitialized<float>({image.packed_size()});
  image.pack(from, result.data());
  return result;
}

}  // namespace detail

/// y = x ∗ w, or y += x ∗ w.
inline void conv2d(cpu::array<float> const& x, cpu::array<float> const& w, cpu::conv_geometry const& geometry,
                   cpu::array<float>& y, bool accumulate) {
  cpu::conv_extents const e(detail::extents_of(x), detail::extents_of(w), geometry);
  e.prepare("conv2d", y, e.y_shape(), accumulate);
  detail::plan const plan(detail::product::forward, e, accumulate, detail::cache_bytes);
  detail::packed_weights const weights(plan, w.data());
  cpu::for_each_task(plan.count(), [&](std::size_t i) {
    auto const n = i / plan.slices(), slice = i % plan.slices();
    auto const kernel = plan.kernel_at(n, slice);
    auto const in = detail::packed(kernel->x, x.data() + plan.x_offset(n, slice));
    auto out = cpu::uninitialized<float>({kernel->y.packed_size()});
    kernel->compute(in.data(), weights.at(slice, plan.longer(n)), out.data());
    kernel->y.unpack(out.data(), y.data() + plan.y_offset(n, slice));
  });
}

/// gx: the gradient with respect to x, of this shape.
inline void conv2d_input_gradient(cpu::array<float> const& gy, cpu::array<float> const& w, cpu::conv_geometry const& geometry,
                                  shape const& x_shape, cpu::array<float>& gx, bool accumulate) {
  cpu::conv_extents const e(x_shape, detail::extents_of(w), geometry);
  e.require("conv2d_input_gradient", gy, e.y_shape());
  e.prepare("conv2d_input_gradient", gx, x_shape, accumulate);
  detail::plan const plan(detail::product::input_gradient, e, accumulate, detail::cache_bytes);
  detail::packed_weights const weights(plan, w.data());
  cpu::for_each_task(plan.count(), [&](std::size_t i) {
    auto const n = i / plan.slices(), slice = i % plan.slices();
    auto const kernel = plan.kernel_at(n, slice);
    auto const in = detail::packed(kernel->y, gy.data() + plan.y_offset(n, slice));
    auto out = cpu::uninitialized<float>({kernel->x.packed_size()});
    kernel->compute(out.data(), weights.at(slice, plan.longer(n)), in.data());
    kernel->x.unpack(out.data(), gx.data() + plan.x_offset(n, slice));
  });
}

/// gw: the gradient with respect to w, of this shape. The sums of the pieces are added in their order.
inline void conv2d_weight_gradient(cpu::array<float> const& x, cpu::array<float> const& gy, cpu::conv_geometry const& geometry,
                                   shape const& w_shape, cpu::array<float>& gw, bool accumulate) {
  cpu::conv_extents const e(detail::extents_of(x), w_shape, geometry);
  e.require("conv2d_weight_gradient", gy, e.y_shape());
  e.prepare("conv2d_weight_gradient", gw, w_shape, accumulate);
  auto const weight_bytes = sizeof(float) * element_count(w_shape);
  detail::plan const plan(detail::product::weight_gradient, e, accumulate, std::max(detail::cache_bytes, 4 * weight_bytes));
  std::vector<cpu::array<float>> sums(plan.count());
  cpu::for_each_task(plan.count(), [&](std::size_t i) {
    auto const n = i / plan.slices(), slice = i % plan.slices();
    auto const kernel = plan.kernel_at(n, slice);
    auto const px = detail::packed(kernel->x, x.data() + plan.x_offset(n, slice));
    auto const py = detail::packed(kernel->y, gy.data() + plan.y_offset(n, slice));
    sums[i].resize({kernel->w.packed_size()});
    kernel->compute(px.data(), sums[i].data(), py.data());
  });
  cpu::for_each_task(plan.slices(), [&](std::size_t slice) {
    for (std::size_t n = 0; n < plan.samples(); ++n)
      plan.kernel_at(n, slice, accumulate || n > 0)
          ->w.unpack(sums[n * plan.slices() + slice].data(), gw.data() + plan.w_offset(slice));
  });
}

}  // namespace lnpt::onednn
