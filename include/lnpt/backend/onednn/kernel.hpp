#pragma once
/// One piece of a convolution as oneDNN computes it: compiled for its extents, with the copies into oneDNN's layouts and back.
#include <cstddef>
#include <memory>
#include <tuple>

#include <lnpt/backend/cpu/convolution/conv_geometry.hpp>
#include <lnpt/backend/onednn/operand.hpp>
#include <lnpt/backend/onednn/recent.hpp>

namespace lnpt::onednn::detail {

enum class product { forward, input_gradient, weight_gradient };

/// Some samples and some channels of a convolution, inside arrays that hold them all.
struct piece {
  product what;
  std::size_t samples, channels, h, w, outputs;
  std::size_t all_samples, all_channels;
  cpu::conv_geometry geometry;
  bool accumulate;

  [[nodiscard]] auto key() const {
    return std::tuple(what, samples, channels, h, w, outputs, all_samples, all_channels, geometry, accumulate);
  }
  friend bool operator<(piece const& a, piece const& b) { return a.key() < b.key(); }
};

/// The compiled piece. Immutable, so that any number of threads may run it at once.
class kernel {
 public:
  explicit kernel(piece const& p);

  operand x, w, y;

  /// The product of packed operands; one of them is the result.
  void compute(float const* px, float const* pw, float const* py) const {
    execute(convolution_, scratch_bytes_,
            {{x.argument(), x.packed(px)}, {w.argument(), w.packed(pw)}, {y.argument(), y.packed(py)}});
  }

 private:
  template <class Description>
  void take(Description const& description) {
    convolution_ = dnnl::primitive(description.get());
    scratch_bytes_ = description.scratchpad_desc().get_size();
  }

  dnnl::primitive convolution_;
  std::size_t scratch_bytes_ = 0;
};

/// Images are [C, N, H, W] here, which oneDNN calls N, C, H, W with strides of their own.
inline layout image_layout(piece const& p, std::size_t channels, std::size_t rows, std::size_t columns) {
  auto const pixels = rows * columns;
  return {dims(p.samples, channels, rows, columns), dims(pixels, p.all_samples * pixels, columns, 1)};
}

inline layout weight_layout(piece const& p) {
  auto const taps = p.geometry.taps(), row = p.all_channels * taps;
  auto const groups = p.geometry.groups, outputs = p.outputs / groups, channels = p.channels / groups;
  layout result{dims(outputs, channels, p.geometry.kernel.h, p.geometry.kernel.w), dims(row, taps, p.geometry.kernel.w, 1)};
  if (groups == 1) return result;
  result.extents.insert(result.extents.begin(), static_cast<dnnl::memory::dim>(groups));
  result.strides.insert(result.strides.begin(), static_cast<dnnl::memory::dim>(outputs * row));
  return result;
}

inline kernel::kernel(piece const& p) {
  single_thread const here;  // the number of threads is compiled in
  auto const& g = p.geometry;
  auto const lx = image_layout(p, p.channels, p.h, p.w), lw = weight_layout(p),
             ly = image_layout(p, p.outputs, g.out_h(p.h), g.out_w(p.w));
  auto const attributes = lnpt::onednn::detail::attributes();
  auto const direct = dnnl::algorithm::convolution_direct;
  auto const strides = dims(g.stride.h, g.stride.w), dilation = dims(g.dilation.h - 1, g.dilation.w - 1);
  auto const before = dims(g.padding.top, g.padding.left), behind = dims(g.padding.bottom, g.padding.right);
  auto const backward = std::tuple(direct, lx.free(), lw.free(), ly.free(), strides, dilation, before, behind);
  auto const training = std::tuple_cat(std::tuple(dnnl::prop_kind::forward_training), backward);
  auto const forward = describe<dnnl::convolution_forward>(attributes, training);
  if (p.what == product::forward) {
    take(forward);
    x = {DNNL_ARG_SRC, lx, forward.src_desc(), false, false};
    w = {DNNL_ARG_WEIGHTS, lw, forward.weights_desc(), false, false};
    y = {DNNL_ARG_DST, ly, forward.dst_desc(), true, p.accumulate};
  } else if (p.what == product::input_gradient) {
    auto const found = describe<dnnl::convolution_backward_data>(attributes, backward, forward);
    take(found);
    x = {DNNL_ARG_DIFF_SRC, lx, found.diff_src_desc(), true, p.accumulate};
    w = {DNNL_ARG_WEIGHTS, lw, found.weights_desc(), false, false};
    y = {DNNL_ARG_DIFF_DST, ly, found.diff_dst_desc(), false, false};
  } else {
    auto const found = describe<dnnl::convolution_backward_weights>(attributes, backward, forward);
    take(found);
    x = {DNNL_ARG_SRC, lx, found.src_desc(), false, false};
    w = {DNNL_ARG_DIFF_WEIGHTS, lw, found.diff_weights_desc(), true, p.accumulate};
    y = {DNNL_ARG_DIFF_DST, ly, found.diff_dst_desc(), false, false};
  }
}

/// The kernel of a piece, compiled at its first use.
inline std::shared_ptr<kernel const> kernel_of(piece const& p) {
  static recently_used<piece, kernel> kernels(1024);
  return kernels[p];
}

}  // namespace lnpt::onednn::detail
